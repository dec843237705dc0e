// Tests the message of an API error: no secret, limited length. The codes and hints are tested in function-graph.test.ts.

import { expect, test } from 'vitest';
import { describeApiError } from '../../lib/deploy/function-graph-errors.ts';

test('removes a secret that the API repeats before it shortens the text', () => {
  const errorMsg = `${'x'.repeat(490)}hunter2-hunter2-hunter2`;
  const scrub = (text: string) => text.replaceAll('hunter2-hunter2-hunter2', '***');
  const { message } = describeApiError('X', { httpStatusCode: 400, errorMsg }, scrub);
  expect(message).not.toContain('hunter');
});

test('quotes at most 500 characters of a response', () => {
  const error = describeApiError('X', { httpStatusCode: 400, errorMsg: 'x'.repeat(10_000) });
  expect(error.message.length).toBeLessThan(600);
});
