// Tests that a command for one stage does not change a function of another stage.

import { expect, test } from 'vitest';
import { hasStageInName } from '../../lib/deploy/command-context.ts';

const hasStage = (
  name: string,
  stage: string,
  written: string | null = "cgs-${opt:stage, 'dev'}-x",
) =>
  hasStageInName(
    { key: 'collect', name },
    stage,
    written === null ? '' : `functions:\n  collect:\n    name: ${written}\n`,
  );

test.each([
  ['cgs-export-prod-collect', 'prod'],
  ['prod-collect', 'prod'],
  ['cgs_export_prod', 'prod'],
  ['cgs-export-pre-prod-collect', 'pre-prod'],
  ['cgs-export-pre_prod', 'pre-prod'],
])('%s contains the stage %s', (name, stage) => {
  expect(hasStage(name, stage)).toBe(true);
  // The file does not show how the name is written.
  expect(hasStage(name, stage, null)).toBe(true);
});

test.each([
  ['cgs-export-production', 'prod'],
  ['cgs-export-collect', 'c'],
  ['cgs-export-collect', 'test'],
])('%s does not contain the stage %s', (name, stage) => {
  expect(hasStage(name, stage)).toBe(false);
});

test('a name without the variable is the same in every stage, whatever it contains', () => {
  expect(hasStage('cgs-export-collect', 'collect', 'cgs-export-collect')).toBe(false);
  expect(hasStage('cgs-export-collect', 'export', '${self:service}-collect')).toBe(false);
  expect(hasStageInName({ key: 'prod', name: 'prod' }, 'prod', 'functions: { prod: {} }')).toBe(
    false,
  );
});

test('reads a name from a YAML merge', () => {
  const text = 'x: &base { name: "cgs-${sls:stage}" }\nfunctions:\n  collect:\n    <<: *base\n';
  expect(hasStageInName({ key: 'collect', name: 'cgs-prod' }, 'prod', text)).toBe(true);
});

test.each([
  'export default {};',
  'functions: ${file(functions.yml)}',
  'functions: { collect: "${file(collect.yml)}" }',
  '- a',
  '{',
])('only the resolved name counts if the file is: %s', (text) => {
  const named = { key: 'collect', name: 'cgs-export-prod-collect' };
  expect([hasStageInName(named, 'prod', text), hasStageInName(named, 'test', text)]).toEqual([
    true,
    false,
  ]);
});
