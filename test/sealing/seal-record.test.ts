// Tests the encoding of the seal record.

import { expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  startCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { decodeSealRecord, encodeSealRecord } from '../../lib/sealing/seal-record.ts';
import { scopeOf, someTarget } from '../support/stored-run.ts';

const checkpoint = startCheckpoint({
  target: someTarget,
  dataset: 'container_nodes',
  schemaVersion: 1,
  snapshot: '20261124T060000Z',
  scope: scopeOf(someTarget),
  startedAtMs: 1_795_500_000_000,
});
const previous = { snapshot: '20261123T060000Z', manifestSha256: 'ab'.repeat(32) };
const record = {
  ...{
    sealedAtMs: 5,
    previous,
    base: previous,
    writer: 'w',
    scheduleSeconds: 86_400,
    keyId: null,
    mayHaveSignature: false,
    checkpoint,
  },
  parts: ['p'],
  faults: [{ key: 'k', message: 'm', hint: 'h' }],
};

test('decodes what it encoded', () => {
  expect(decodeSealRecord('s', encodeSealRecord(record))).toEqual(record);
});

test('does not accept a checkpoint as a seal record, nor a seal record as a checkpoint', () => {
  expect(() => decodeSealRecord('c', encodeCheckpoint(checkpoint))).toThrow(CorruptError);
  expect(() => decodeCheckpoint('s', encodeSealRecord(record))).toThrow(/^s: is not a checkpoint/);
});
