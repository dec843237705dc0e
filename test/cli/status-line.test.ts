// Tests the last line of a terminal against a small terminal emulation.

import { expect, test } from 'vitest';
import { createStatusLine } from '../../lib/cli/status-line.ts';

/** The lines that a terminal of unlimited width shows after these writes. */
function screenOf(writes: readonly string[]): string[] {
  const lines = [''];
  let column = 0;
  const text = writes.join('');
  for (let index = 0; index < text.length; index += 1) {
    const last = lines.length - 1;
    if (text.startsWith('\u001b[2K', index)) {
      lines[last] = '';
      index += 3;
    } else if (text[index] === '\n') {
      lines.push('');
      column = 0;
    } else if (text[index] === '\r') column = 0;
    else {
      const line = (lines[last] ?? '').padEnd(column);
      lines[last] = line.slice(0, column) + text[index] + line.slice(column + 1);
      column += 1;
    }
  }
  return lines;
}

test('prints whole lines above the status line', () => {
  const writes: string[] = [];
  const line = createStatusLine((text) => writes.push(text));
  line.print('first\n');
  line.show('a long progress line');
  line.print('second\n');
  line.show('short');
  line.print('third\n');
  expect(screenOf(writes)).toEqual(['first', 'second', 'third', 'short']);
  line.hide();
  expect(screenOf(writes)).toEqual(['first', 'second', 'third', '']);
});

test('does not write if the line does not change', () => {
  const writes: string[] = [];
  const line = createStatusLine((text) => writes.push(text));
  line.hide();
  line.show('same');
  line.show('same');
  expect(writes).toEqual(['same']);
});
