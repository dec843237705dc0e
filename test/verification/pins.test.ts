// Tests how pins are written, read, checked and brought up to date.

import { describe, expect, test } from 'vitest';
import { manifestKey, snapshotName, targetId } from '../../lib/core/object-keys.ts';
import type { TargetChain } from '../../lib/snapshots/chain.ts';
import {
  advancePins,
  checkPins,
  decodePins,
  encodePins,
  listNewest,
  type Pin,
} from '../../lib/verification/pins.ts';
import { verifyWithChains } from '../../lib/verification/verification.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { makeNewer } from '../support/newer-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { someTarget } from '../support/stored-run.ts';

const dayMs = 86_400_000;
const newestMs = Date.UTC(2026, 10, 24, 6);
const nowMs = newestMs + 3_600_000;
const otherTarget = { ...someTarget, projectId: 'p2' };

async function readChains(
  count: number,
  endMs = newestMs,
  isOfNewerVersion: (snapshot: string) => boolean = () => false,
): Promise<ReadonlyMap<string, TargetChain>> {
  const store = createMemoryStore({ nowMs: () => nowMs });
  const objects = [...listHistory({ count, newestMs: endMs })];
  for (const { key, bytes } of objects) await store.put(key, bytes);
  const stored = new Map(objects.map(({ key, bytes }) => [key, bytes]));
  for (const [key, bytes] of makeNewer(stored, isOfNewerVersion)) await store.put(key, bytes);
  return (await verifyWithChains(store, () => {})).chains;
}

/** Histories with the same beginning. */
const older = await readChains(2, newestMs - dayMs);
const newer = await readChains(3);
const pinOf = (chains: typeof older) => listNewest(chains, nowMs);

test('are one line of JSON a target, in the order of the targets', () => {
  const [pin] = pinOf(newer) as [Pin];
  const other = { ...pin, projectId: 'p0' };
  const bytes = encodePins([pin, other]);
  const lines = Buffer.from(bytes).toString().split('\n');
  expect(lines.map((line) => line && JSON.parse(line))).toEqual([other, pin, '']);
  expect(pin).toEqual({
    account: 'prod',
    ...someTarget,
    snapshot: snapshotName(newestMs),
    manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(decodePins(bytes)).toEqual([other, pin]);
});

describe('are not taken from', () => {
  const line = Buffer.from(encodePins(pinOf(newer))).toString();
  test.each([
    ['an empty file', '', 'is empty'],
    ['a file without a line feed at its end', line.trim(), 'ends in the middle of a line'],
    ['a shortened file', line + line.slice(0, 40), 'ends in the middle of a line'],
    ['an empty line', `${line}\n`, 'has a line 2 that is not a pin'],
    ['text', 'pins\n', 'has a line 1 that is not a pin'],
    ['another hash', line.replace(/[0-9a-f]{64}/, 'x'), 'has a line 1 that is not a pin'],
    ['no name of a snapshot', line.replace('20261124T', '20261324T'), 'line 1 that is not a pin'],
    ['a missing member', line.replace('"projectId"', '"project"'), 'line 1 that is not a pin'],
    ['two lines for one target', line + line, 'line 2 for a target that an earlier line has'],
  ])('%s', (_what, text, message) => {
    expect(decodePins(Buffer.from(text))).toContain(message);
  });

  test('but a pin may lack the account', () => {
    expect(decodePins(Buffer.from(line.replace('"account":"prod",', '')))).toHaveLength(1);
  });
});

describe('report', () => {
  const [pin] = pinOf(newer) as [Pin];
  const messagesOf = (pins: readonly Pin[], chains = newer) =>
    checkPins(pins, chains, nowMs).map(({ key, message }) => `${key} ${message}`);

  test('no fault while the pinned manifest is in the chain', () => {
    expect(messagesOf(pinOf(newer))).toEqual([]);
    expect(messagesOf(pinOf(older))).toEqual([]);
  });

  test('a history that was set back', () => {
    expect(messagesOf([pin], older)).toEqual([
      expect.stringMatching(`^${manifestKey(pin, pin.snapshot)} is missing: a pin names it`),
    ]);
  });

  test('another hash', () => {
    const other = { ...pin, manifestSha256: 'f'.repeat(64) };
    expect(messagesOf([other])).toEqual([expect.stringContaining('was altered or replaced')]);
  });

  test('a target that is gone', () => {
    expect(messagesOf([{ ...pin, ...otherTarget }])).toEqual([
      expect.stringContaining('with all manifests of its target'),
    ]);
  });

  test('a manifest that is there but no longer in the chain', () => {
    const chain = newer.get(targetId(someTarget)) as TargetChain;
    const end = chain.sealed.get(pin.snapshot);
    if (!end) throw new Error('no end');
    const manifest = { ...end.manifest, previous: null };
    const sealed = new Map(chain.sealed).set(pin.snapshot, { ...end, manifest });
    const cut = new Map([[targetId(someTarget), { ...chain, sealed }]]);
    expect(messagesOf(pinOf(older), cut)).toEqual([
      expect.stringContaining('is no longer in the chain of its target'),
    ]);
  });
});

describe('with manifests that a newer version wrote', () => {
  const [oldest, middle, newest] = [2, 1, 0].map((age) => snapshotName(newestMs - age * dayMs));
  const faultsOf = async (isOfNewerVersion: (name: string) => boolean, pinned: string) => {
    const chains = await readChains(3, newestMs, isOfNewerVersion);
    const key = manifestKey(someTarget, pinned);
    const manifestSha256 = chains.get(targetId(someTarget))?.found.get(key) ?? '';
    const pin = { ...(pinOf(newer)[0] as Pin), snapshot: pinned, manifestSha256 };
    return { chains, pin, messages: checkPins([pin], chains, nowMs).map(({ message }) => message) };
  };

  test.each([oldest, middle, newest] as string[])(
    'report no fault that cannot be known: %s is pinned',
    async (pinned) => {
      expect((await faultsOf(() => true, pinned)).messages).toEqual([]);
      expect((await faultsOf((name) => name === middle, pinned)).messages).toEqual([]);
    },
  );

  test('report another hash, and a chain that ends without the pinned manifest', async () => {
    const { chains, pin } = await faultsOf((name) => name === middle, middle as string);
    const other = { ...pin, manifestSha256: 'f'.repeat(64) };
    expect(checkPins([other], chains, nowMs)).toMatchObject([
      { message: expect.stringContaining('was altered or replaced') },
    ]);
    const planted = await faultsOf((name) => name === oldest, middle as string);
    const chain = planted.chains.get(targetId(someTarget)) as TargetChain;
    const end = chain.sealed.get(newest as string);
    if (!end) throw new Error('no end');
    const manifest = { ...end.manifest, previous: null };
    const sealed = new Map(chain.sealed).set(newest as string, { ...end, manifest });
    const cut = new Map([[targetId(someTarget), { ...chain, sealed }]]);
    expect(checkPins([planted.pin], cut, nowMs)).toMatchObject([
      { message: expect.stringContaining('is no longer in the chain of its target') },
    ]);
  });
});

describe('are brought up to date', () => {
  test('to the newest manifest, and a new target is added', () => {
    const other = { ...(pinOf(older)[0] as Pin), ...otherTarget };
    expect(advancePins([...pinOf(older), other], newer, nowMs)).toEqual([...pinOf(newer), other]);
    expect(advancePins([], newer, nowMs)).toEqual(pinOf(newer));
  });

  test('but never back: a pin that another verification wrote meanwhile stays', () => {
    expect(advancePins(pinOf(newer), older, nowMs)).toEqual(pinOf(newer));
  });
});
