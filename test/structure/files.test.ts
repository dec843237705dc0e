// Tests what every source file must have: a first line that states its responsibility, a test, a name, short functions.

import { basename } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { parse, parseText, projectFiles, read, sourceFiles, walk } from './sources.ts';

/** True if nothing remains when types are erased. */
function isPureTypes(file: ts.SourceFile): boolean {
  return file.statements.every(
    (statement) =>
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      (ts.isImportDeclaration(statement) && statement.importClause?.isTypeOnly === true),
  );
}

/** Files without a test of their own name, and the test that covers them. */
const testedElsewhere: Record<string, string> = {
  'lib/core/errors.ts':
    'declarations; tests of the modules that throw them check code, message and hint',
  'lib/core/version.ts': 'test/build.e2e.test.ts: what a build puts in',
  'lib/config/schema.ts': 'test/config/check.test.ts, through loadConfig',
  'lib/config/values.ts': 'test/config/check.test.ts, through loadConfig',
  'lib/deploy/commands.ts': 'test/deploy/plugin.e2e.test.ts, as a user runs them',
  'lib/deploy/settings-schema.ts': 'test/deploy/plugin.e2e.test.ts, as Serverless checks it',
  'lib/ddl/lake-table.ts': 'test/ddl/duckdb.test.ts, by the columns that engines show',
  'lib/ddl/dialect.ts': 'declarations; the tests of the dialects',
  'lib/ddl/dialects.ts': 'a list; test/cli/ddl.test.ts',
  'lib/ddl/spark-sql.ts': 'test/ddl/spark.test.ts and test/engines/spark.engines.ts',
  'lib/ddl/sql-layout.ts': 'test/ddl/duckdb.test.ts runs what it lays out',
  'lib/ddl/snapshot-queries.ts': 'test/ddl/duckdb.test.ts, by what each snapshot has',
  'lib/datasets/index.ts': 'a list; test/datasets/container-nodes.test.ts',
  'lib/simulator/accounts.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/number-order.ts': 'test/simulator/node-list.test.ts, through the list',
  'lib/simulator/report-endpoint.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/response-bodies.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/iam-endpoint.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/gateway-check.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/statistics-endpoint.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/list-endpoint.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/listing.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/simulator-options.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/http-transport.ts': 'test/simulator/simulator.test.ts, by its answers',
  'lib/simulator/random.ts': 'test/simulator/nodes.test.ts: the same seed, the same nodes',
  'lib/snapshots/chain.ts': 'test/verification/verification.property.test.ts, through verifyStore',
  'lib/verification/proof-texts.ts': 'texts; test/verification/proof.test.ts: each is stated',
  'lib/verification/pointer-check.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/retention/pruning.ts': 'test/runs/prune.test.ts and its property test, through prune',
  'lib/sealing/run-pages.ts': 'test/sealing/contents.property.test.ts: positions in the list',
  'lib/sealing/sorted-block.ts': 'test/sealing/row-sorter.property.test.ts, through the sorter',
  'lib/cli/evidence-readme.ts': 'test/e2e/evidence.test.ts: the commands, as an outsider runs them',
  'lib/cli/row-output.ts': 'test/cli/diff.test.ts and test/cli/nodes.test.ts, by what is printed',
  'lib/cli/picked-targets.ts': 'test/cli/diff.test.ts and test/cli/history.test.ts, as options',
  'lib/cli/life-text.ts': 'test/cli/node.test.ts: the timeline',
  'lib/verification/part-check.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/snapshots/part-difference.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/sealing/snapshot-names.ts': 'test/sealing/chain-end.test.ts, through readChainEnd',
  'lib/verification/stored-evidence.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/verification/survey.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/snapshots/read-note.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/verification/under-way.ts':
    'test/verification/verification.property.test.ts, through verifyStore',
  'lib/sealing/witness-check.ts': 'test/sealing/chain-end.test.ts, through readChainEnd',
  'lib/reports/life-reader.ts': 'test/reports/node-life.property.test.ts, through readNodeLives',
  'lib/reports/figures.ts':
    'limits; test/reports/report-reading.test.ts compares the figures with SQL',
  'lib/api/delivery.ts': 'test/api/webhook.test.ts and test/api/smn.test.ts, through both',
  'lib/reports/later-rows.ts': 'test/reports/report-reading.property.test.ts: only pruned days',
  'lib/reports/target-walk.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/reports/walk-parts.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/reports/change-summary.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/reports/quality.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/reports/report-tables.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/reports/report-times.ts': 'test/reports/report-reading.test.ts, through readReport',
  'lib/app/report-run.ts': 'test/cli/report.test.ts, through the command',
  'lib/app/finding-alert.ts':
    'test/app/verify-invocation.test.ts and test/app/report-invocation.test.ts',
  'lib/app/covered-targets.ts':
    'test/cli/stored-targets.test.ts, through the commands that pick targets',
  'functions/report.ts':
    'test/app/report-invocation.test.ts, and test/deploy/plugin.e2e.test.ts runs it',
  'lib/runs/policy.ts': 'test/runs/collect.test.ts: how a timer and a command differ',
  'lib/runs/work.ts': 'test/runs/collect.test.ts, through collect',
  'lib/runs/lease-wait.ts': 'test/runs/collect.test.ts and test/runs/prune.test.ts',
  'lib/runs/read-page.ts': 'test/runs/run.test.ts, through advanceRun',
  'lib/runs/run-state.ts': 'test/runs/run.test.ts, through advanceRun',
  'lib/store/file-write.ts': 'test/store/file.test.ts, through the store',
  'lib/store/obs-location.ts': 'test/store/obs.test.ts, through the store',
  'lib/platform/memory.ts': 'test/bench/export.bench.ts: a peak, not a result',
  'lib/app/credentials.ts': 'test/app/connect.test.ts, through connect',
  'lib/app/check-result.ts': 'test/app/judgement.test.ts, by its results',
  'lib/app/doctor.ts': 'test/scenarios/doctor.test.ts, as a user runs it',
  'lib/app/target.ts': 'test/app/connect.test.ts, through connect',
  'lib/app/function-instance.ts': 'test/e2e/function.test.ts, as the platform runs it',
  'lib/alerts/alert.ts': 'test/alerts/due-alerts.test.ts, through the rules',
  'lib/app/alert-destinations.ts': 'test/scenarios/alerts.test.ts, as a receiver sees it',
  'lib/cli/start.ts': 'test/platform/command-line.platform.ts, on old and new versions of Node.js',
  'lib/cli/alerts.ts': 'test/scenarios/alerts.test.ts, as a user runs it',
  'lib/app/collect-invocation.ts': 'test/e2e/function.test.ts, as the platform runs it',
  'lib/app/function-needs.ts': 'a list; test/deploy/packed-config.test.ts, before a deployment',
  'lib/app/verify-run.ts': 'test/cli/verify.test.ts, through the command',
  'lib/config/packed-key.ts': 'test/deploy/packed-keys.test.ts: the function finds what is packed',
  'functions/collect.ts': 'test/e2e/function.test.ts, as the platform runs it',
  'lib/app/prune-json.ts': 'test/cli/prune.test.ts, through the command',
  'functions/prune.ts': 'test/app/prune-invocation.test.ts, and the plugin calls it',
  'lib/reports/page-assets.ts': 'test/reports/html-page.test.ts: what a build puts in',
  ...Object.fromEntries(
    [
      'completeness-section',
      'headline',
      'integrity-section',
      'limits-section',
      'list-sections',
      'page-limits',
      'quality-section',
      'scope-section',
      'table-markup',
      'trend-section',
    ].map((name) => [`lib/reports/page/${name}.ts`, 'test/reports/html-page.test.ts, as a page']),
  ),
  'lib/reports/page/strings-en.ts': 'test/reports/page/texts.test.ts, through formatText',
  'lib/reports/page/strings-zh.ts': 'test/reports/page/texts.test.ts, through formatText',
  ...Object.fromEntries(
    ['charts', 'language', 'lists', 'main', 'theme'].map((name) => [
      `lib/reports/browser/${name}.ts`,
      'test/browser/page.browser.ts, in Chromium',
    ]),
  ),
  'functions/verify.ts': 'test/e2e/verify-function.test.ts, as the platform runs it',
};

/** `lib/a/b.ts` → its unit test, and its property or end-to-end test. */
function testsOf(path: string): string[] {
  const base = `test/${path.replace(/^lib\//, '').replace(/\.ts$/, '')}`;
  return ['.test.ts', '.property.test.ts', '.e2e.test.ts'].map((ending) => `${base}${ending}`);
}

test('each source starts with a line that states its responsibility', () => {
  const wrong = sourceFiles.filter((path) => !/^\/\/ Responsible for \S.{10,}/.test(read(path)));
  expect(wrong).toEqual([]);
});

test('each source has a test of the same name, or a stated reason', () => {
  const needing = sourceFiles.filter((path) => !isPureTypes(parse(path)));
  const tests = new Set(projectFiles.filter((path) => path.endsWith('.test.ts')));
  const hasTest = (path: string) => testsOf(path).some((name) => tests.has(name));
  expect(needing.filter((path) => !testedElsewhere[path] && !hasTest(path))).toEqual([]);
  const outdated = Object.keys(testedElsewhere).filter(
    (path) => !needing.includes(path) || hasTest(path),
  );
  expect(outdated).toEqual([]);
});

test('names are kebab-case and say something', () => {
  const empty = ['utils', 'util', 'types', 'helpers', 'helper', 'common', 'misc', 'index'];
  const wrong = sourceFiles.filter((path) => {
    const name = basename(path, '.ts');
    if (path === 'lib/datasets/index.ts') return false;
    return empty.includes(name) || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name);
  });
  expect(wrong).toEqual([]);
});

test('the only classes are errors and the exact number of JSON', () => {
  const classes = sourceFiles.flatMap((path) =>
    [...walk(parse(path))]
      .filter((node) => ts.isClassDeclaration(node) || ts.isClassExpression(node))
      .map((node) => `${path} ${node.name?.text}`),
  );
  const allowed = /^(lib\/core\/errors\.ts \w+Error|lib\/core\/exact-json\.ts RawNumber)$/;
  expect(classes.filter((name) => !allowed.test(name))).toEqual([]);
});

const linesMax = 100;
/** Longer functions need a comment that starts with `Long because`. */
const linesMaxWithoutReason = 60;
const parametersMax = 4;

function findLongFunctions(path: string, file: ts.SourceFile): string[] {
  return [...walk(file)].filter(ts.isFunctionLike).flatMap((node) => {
    if (!('body' in node) || !node.body) return [];
    const line = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
    const start = line(node.getStart(file));
    const lines = line(node.end) - start + 1;
    const hasReason = node.getFullText(file).includes('Long because');
    if (lines > linesMax) return [`${path}:${start} has ${lines} lines`];
    if (lines > linesMaxWithoutReason && !hasReason) {
      return [`${path}:${start} has ${lines} lines without a reason`];
    }
    return [];
  });
}

test('no function has more than 100 lines; more than 60 need a reason', () => {
  expect(sourceFiles.flatMap((path) => findLongFunctions(path, parse(path)))).toEqual([]);
  const long = (lines: number, comment: string) =>
    findLongFunctions('x.ts', parseText(`${comment}\nfunction f() {${'\n'.repeat(lines - 1)}}`));
  expect(long(61, '')).toHaveLength(1);
  expect(long(61, '// Long because: a table.')).toEqual([]);
  expect(long(101, '// Long because: a table.')).toHaveLength(1);
});

test('no function has more than 4 parameters', () => {
  const wrong = sourceFiles.flatMap((path) =>
    [...walk(parse(path))]
      .filter(ts.isFunctionLike)
      .filter((node) => node.parameters.length > parametersMax)
      .map((node) => `${path} ${node.name?.getText() ?? ''}`),
  );
  expect(wrong).toEqual([]);
});
