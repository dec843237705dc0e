// Tests with the programs that operators use: promtool reads the metrics of `status` and the documented rules, and Python runs
// the documented check of an alert's signature. .ci/run puts promtool into coverage/promtool.

import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatPrometheus } from '../../lib/cli/prometheus.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { pageOf, root } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const temp = createTempDir();
afterAll(() => temp.remove());

function run(command: string, args: readonly string[], input = '', env: object = {}) {
  const options = { input, encoding: 'utf8', env: { PATH: process.env.PATH, ...env } } as const;
  return spawnSync(command, args, options);
}

function writeBlock(page: string, name: string): string {
  const block = pageOf(page).blocks.find(({ info }) => info.endsWith(`file=${name}`));
  const path = temp.path(name);
  writeFileSync(path, block?.text ?? '');
  return path;
}

const promtool = join(root, 'coverage/promtool/usr/bin/promtool');

test('promtool finds nothing wrong with the metrics', async () => {
  const world = createTestExporter({ ids: ['a', 'b'] });
  const targets = [
    world.createTarget(),
    world.createTarget({ account: 'a "quoted" \\ one', table: 'other' }),
  ];
  await world.exportNow();
  const text = formatPrometheus(await readStatus(world.store, 86_400_000, targets));
  expect(text).toContain('last_snapshot_unprotected');
  const ended = run(promtool, ['check', 'metrics'], text);
  expect(ended).toMatchObject({ status: 0, stderr: '', stdout: '' });
  // It does find faults.
  expect(run(promtool, ['check', 'metrics'], text.replace('{', '{{')).status).not.toBe(0);
});

test('promtool finds nothing wrong with the documented rules', () => {
  const file = writeBlock('docs/operations.md', 'cgs-export.rules.yml');
  const ended = run(promtool, ['check', 'rules', file]);
  expect(ended.status, ended.stderr).toBe(0);
  expect(ended.stdout).toContain('3 rules found');
});

test('promtool finds nothing wrong with the rules for Kubernetes', () => {
  const file = join(root, 'examples/kubernetes/alert-rules.yml');
  const ended = run(promtool, ['check', 'rules', file]);
  expect(ended.status, ended.stderr).toBe(0);
  expect(ended.stdout).toContain('3 rules found');
});

test('the documented Python accepts a right signature, and neither a wrong one nor an old alert', () => {
  const script = writeBlock('docs/alerts.md', 'check_alert.py');
  const check = (sentAt: string, secret = 's') => {
    const body = JSON.stringify({ id: 'alert-1', sentAt });
    writeFileSync(temp.path('body.json'), body);
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    const args = [script, temp.path('body.json'), `sha256=${signature}`];
    return run('python3', args, '', { HOOK_SECRET: 's' });
  };
  expect(check(new Date().toISOString())).toMatchObject({ status: 0, stdout: 'alert-1\n' });
  expect(check(new Date().toISOString(), 'x').stderr).toContain('wrong signature');
  expect(check('2026-01-01T00:00:00.000Z').stderr).toContain('sent at another time');
});
