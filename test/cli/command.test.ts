// Tests the definitions of the commands: their help is complete, and their examples are valid calls.

import { expect, test } from 'vitest';
import { createCommand } from '../../lib/cli/command.ts';
import { commands } from '../../lib/cli/program.ts';

const examples = commands.flatMap((definition) =>
  definition.examples.map((example) => ({ definition, example })),
);

test.each(examples)('the parser accepts $example', ({ definition, example }) => {
  const [call = ''] = example.split(/ [|#>] /);
  const [program, name, ...args] = call.trim().split(/ +/);
  expect([program, name]).toEqual(['cgs-export', definition.name]);
  const parsed: unknown[] = [];
  const command = createCommand(definition).exitOverride();
  command.action((options: unknown) => void parsed.push(options)).parse(args, { from: 'user' });
  expect(parsed).toHaveLength(1);
});

test.each(commands)('the help of $name fits 100 columns', (definition) => {
  let text = '';
  createCommand(definition)
    .configureOutput({
      writeOut: (part) => {
        text += part;
      },
      getOutHelpWidth: () => 100,
    })
    .outputHelp();
  expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
});

test.each(commands)('the summary of $name is one line without a full stop', ({ summary }) => {
  expect(summary).toMatch(/^[a-z][^\n]+[^.]$/);
});
