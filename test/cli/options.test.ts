// Tests the options that every command has, and option values that are numbers.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readNumber } from '../../lib/cli/options.ts';
import { commands } from '../../lib/cli/program.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { call, exportSome } from './test-runtime.ts';

describe('--log-format', () => {
  /** Verifies a store with an object that no manifest names, which logs one warning. */
  async function logWarning(options: { format: string[]; terminal: boolean; json?: boolean }) {
    const { cwd } = await exportSome();
    writeFileSync(join(cwd, 'lake', 'stray.txt'), 'x');
    const json = options.json ? ['--json'] : [];
    const args = ['verify', '--store', 'file:./lake', ...json, ...options.format];
    const { code, runtime } = await call(args, { cwd, terminal: options.terminal });
    expect(code).toBe(0);
    return runtime;
  }
  const jsonLine = { level: 'warn', message: expect.stringContaining('no manifest'), count: 1 };
  const prettyLine = /^\d\d:\d\d:\d\d (\S*)warn .*no manifest.* count=1\n$/;

  test.each([false, true])('json prints JSON lines; on a terminal: %s', async (terminal) => {
    const runtime = await logWarning({ format: ['--log-format', 'json'], terminal });
    expect(runtime.logs()).toMatchObject([jsonLine]);
  });

  test.each([false, true])(
    'pretty prints lines for people; on a terminal: %s',
    async (terminal) => {
      const runtime = await logWarning({ format: ['--log-format', 'pretty'], terminal });
      expect(runtime.err()).toMatch(prettyLine);
      expect(runtime.err().includes('\u001b')).toBe(terminal);
    },
  );

  test('without it, the lines are pretty on a terminal and JSON elsewhere', async () => {
    expect((await logWarning({ format: [], terminal: true })).err()).toMatch(prettyLine);
    expect((await logWarning({ format: [], terminal: false })).logs()).toMatchObject([jsonLine]);
  });

  test('does not change stdout', async () => {
    const format = ['--log-format', 'pretty'];
    const runtime = await logWarning({ format, terminal: false, json: true });
    expect(runtime.json()).toMatchObject({ status: 'verified' });
  });

  test('applies to errors', async () => {
    const args = ['verify', '--log-format'];
    const pretty = await call([...args, 'pretty']);
    expect(pretty.runtime.err()).toMatch(/^error CONFIG: /);
    const json = await call([...args, 'json'], { terminal: true });
    expect(json.runtime.logs()).toMatchObject([{ level: 'error', code: 'CONFIG' }]);
    expect([pretty.code, json.code]).toEqual([2, 2]);
  });

  test.each(commands.map(({ name }) => name))('%s rejects another format', async (name) => {
    const people = await call([name, '--log-format', 'xml']);
    expect(people.code).toBe(2);
    expect(people.runtime.err()).toContain('Allowed choices are json, pretty.');
    const programs = await call([name, '--json', '--log-format', 'xml']);
    expect(programs.code).toBe(2);
    expect(programs.runtime.json().errors).toMatchObject([
      {
        code: 'USAGE',
        message: expect.stringContaining('Allowed choices are json, pretty.'),
        hint: `See \`cgs-export ${name} --help\`.`,
      },
    ]);
  });
});

test.each(['', ' ', 'x', '-1', '1e999', '4 s'])(
  'rejects "%s" as a number of at least 0',
  (text) => {
    expect(() => readNumber('--nodes', text, 0)).toThrow(ConfigError);
  },
);
