// Owns the proof that a command for one stage touches no function of another.

import { expect, test } from 'vitest';
import { tellsStage } from '../../lib/deploy/function-selection.ts';

const tells = (name: string, stage: string, written: string | null = "cgs-${opt:stage, 'dev'}-x") =>
  tellsStage(
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
])('%s tells %s', (name, stage) => {
  expect(tells(name, stage)).toBe(true);
  // Of a file that says nothing of names.
  expect(tells(name, stage, null)).toBe(true);
});

test.each([
  ['cgs-export-production', 'prod'],
  ['cgs-export-collect', 'c'],
  ['cgs-export-collect', 'test'],
])('%s does not tell %s', (name, stage) => {
  expect(tells(name, stage)).toBe(false);
});

test('a name that is written out is the same in every stage, whatever stands in it', () => {
  expect(tells('cgs-export-collect', 'collect', 'cgs-export-collect')).toBe(false);
  expect(tells('cgs-export-collect', 'export', '${self:service}-collect')).toBe(false);
  expect(tellsStage({ key: 'prod', name: 'prod' }, 'prod', 'functions: { prod: {} }')).toBe(false);
});

test('a name that comes by a YAML merge', () => {
  const text = 'x: &base { name: "cgs-${sls:stage}" }\nfunctions:\n  collect:\n    <<: *base\n';
  expect(tellsStage({ key: 'collect', name: 'cgs-prod' }, 'prod', text)).toBe(true);
});

test.each([
  'export default {};',
  'functions: ${file(functions.yml)}',
  'functions: { collect: "${file(collect.yml)}" }',
  '- a',
  '{',
])('a file that is read otherwise leaves it to the name: %s', (text) => {
  const named = { key: 'collect', name: 'cgs-export-prod-collect' };
  expect([tellsStage(named, 'prod', text), tellsStage(named, 'test', text)]).toEqual([true, false]);
});
