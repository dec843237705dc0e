// Tests that verify reports no fault of an honest exporter: seeded histories with kills, changed signing keys, drifted lists,
// prunes, and verifications while another process works. Pins are carried from one verification to the next.

import { describe, expect, test } from 'vitest';
import { parseTargetId, scheduleKey } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { prune } from '../../lib/runs/prune.ts';
import { decodeSchedule } from '../../lib/runs/schedule.ts';
import { advancePins, type Pin } from '../../lib/verification/pins.ts';
import type { LastSealed } from '../../lib/verification/survey.ts';
import { verifyWithChains } from '../../lib/verification/verification.ts';
import { createRandom } from '../support/moving-list.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { createTestExporter } from '../support/test-exporter.ts';

/** More of them: `HISTORIES=1000 npm run test:forger`. */
const histories = Number(process.env.HISTORIES ?? 100);
const groups = 10;
const hourMs = 3_600_000;
const keys = [createKeyPair(), createKeyPair(), createKeyPair()];
const encoders = [parquetEncoder, ndjsonEncoder];

/** A program that is killed, or that is interrupted by another one, at a call to its store. */
interface Interruption {
  call: number;
  kind: 'kill' | 'verify';
}

function createHistory(seed: number) {
  const random = createRandom(seed);
  const below = (count: number) => Math.floor(random() * count);
  const exporter = createTestExporter({
    ids: Array.from({ length: below(40) }, (_, index) => `host-${index}`),
    recordOf: (id) => ({ host_id: id, agent_status: below(5) === 0 ? 'offline' : 'online' }),
    limit: 20,
    seed,
    store: { exclusive: seed % 2 === 0 },
  });
  const { store, clock, endpoint } = exporter;
  let pins: readonly Pin[] = [];
  let verified = 0;
  let killed = 0;
  let pruned = 0;
  let key = 0;

  async function readLastSealed(): Promise<LastSealed[]> {
    const { targets } = decodeSchedule(await store.get(scheduleKey));
    return Object.entries(targets).flatMap(([id, { lastSealed }]) => {
      const target = parseTargetId(id);
      return target && lastSealed ? [{ target, ...lastSealed }] : [];
    });
  }

  async function verify(where: string): Promise<void> {
    const publicKeys = keys.slice(0, key + 1).map(({ publicKey }) => publicKey);
    const lastSealed = await readLastSealed();
    const options = { pins, publicKeys, lastSealed, tables: ['container_nodes'] };
    const { verification, chains } = await verifyWithChains(store, () => {}, options);
    const { faults, unchecked, unnamed, foreign } = verification;
    expect({ faults, unchecked, unnamed, foreign }, where).toEqual({
      ...{ faults: [], unchecked: [], unnamed: [], foreign: [] },
    });
    pins = advancePins(pins, chains, clock.nowMs());
    verified += 1;
  }

  /** The store as one process sees it. */
  function openStore({ call, kind }: Interruption, where: string): Store {
    let calls = 0;
    let isDead = false;
    const interrupt = async () => {
      if (isDead) throw new Error('killed');
      calls += 1;
      if (calls !== call) return;
      if (kind === 'verify') return verify(`${where}, during call ${call}`);
      isDead = true;
      killed += 1;
      throw new Error('killed');
    };
    const around = async <T>(work: () => Promise<T>): Promise<T> => {
      await interrupt();
      const result = await work();
      await interrupt();
      return result;
    };
    const { putIfAbsent } = store;
    return {
      ...store,
      put: (...of) => around(() => store.put(...of)),
      putFile: (...of) => around(() => store.putFile(...of)),
      get: (...of) => around(() => store.get(...of)),
      read: (...of) => around(() => store.read(...of)),
      list: (...of) => around(() => store.list(...of)),
      delete: (...of) => around(() => store.delete(...of)),
      ...(putIfAbsent && { putIfAbsent: (...of) => around(() => putIfAbsent(...of)) }),
    };
  }

  /** One export in a process of its own, which may be killed. */
  async function exportOnce(where: string, mayKill: boolean): Promise<void> {
    const kind = mayKill && random() < 0.4 ? 'kill' : 'verify';
    const seen = openStore({ call: 1 + below(120), kind }, where);
    const { signer } = keys[key] ?? keys[0] ?? createKeyPair();
    const work = exporter.exportNow({ store: seen, encoders, signing: signer });
    const result = await work.catch((error: Error) => {
      expect(error.message, where).toBe('killed');
      return null;
    });
    const codes = result?.errors.map(({ code }) => code) ?? [];
    expect(
      codes.filter((code) => code !== 'DRIFTED'),
      where,
    ).toEqual([]);
  }

  /** Of the rows, which may be killed like an export. */
  async function pruneOnce(where: string, mayKill: boolean): Promise<void> {
    const kind = mayKill && random() < 0.5 ? 'kill' : 'verify';
    const seen = openStore({ call: 1 + below(60), kind }, `${where}, prune`);
    const { signer } = keys[key] ?? keys[0] ?? createKeyPair();
    const retention = { all: below(3) * 24 * hourMs, daily: null, weekly: null, monthly: null };
    const grace = below(2) * 20 * hourMs;
    const { host, log, budget, progress, targets } = exporter.createPorts();
    const ports = {
      ...{ store: seen, clock, host, log, random, budget, progress, targets },
      ...{ retention: { ...retention, grace }, signingKey: signer },
    };
    const work = clock.run(prune(ports, { isDryRun: false, pick: (covered) => covered }));
    const result = await work.catch((error: Error) => {
      expect(error.message, where).toBe('killed');
      return null;
    });
    expect(result?.errors ?? [], where).toEqual([]);
    pruned += result?.parts ?? 0;
  }

  function changeList(): void {
    endpoint.ids = endpoint.ids.filter(() => below(10) > 0);
    for (let count = below(6); count > 0; count -= 1) endpoint.ids.push(`host-${below(80)}`);
    endpoint.ids = [...new Set(endpoint.ids)];
    const moves = below(3) === 0;
    endpoint.beforeAnswer = () => {
      if (moves && endpoint.ids.length > 2) endpoint.ids.push(endpoint.ids.splice(0, 1)[0] ?? '');
    };
  }

  return {
    async play(): Promise<{ verified: number; killed: number; pruned: number }> {
      const steps = 4 + below(8);
      for (let step = 0; step < steps; step += 1) {
        const where = `seed ${seed}, step ${step}`;
        changeList();
        if (below(4) === 0) key = Math.min(keys.length - 1, key + 1);
        // A seal that was killed is excused for 24 hours only, so another export follows within them.
        for (let tries = 0; tries < 3; tries += 1) {
          await exportOnce(where, tries < 2);
          clock.advance(60_000 + below(4 * hourMs));
          await verify(`${where}, after try ${tries}`);
        }
        for (let tries = below(3); tries > 0; tries -= 1) {
          await pruneOnce(where, tries > 1);
          clock.advance(60_000 + below(2 * hourMs));
          await verify(`${where}, after prune`);
        }
        clock.advance(below(40 * hourMs));
        await verify(where);
      }
      return { verified, killed, pruned };
    },
  };
}

describe('an honest exporter', () => {
  test.each(Array.from({ length: groups }, (_, group) => group))(
    'causes no fault in any history of group %i',
    async (group) => {
      let verified = 0;
      let killed = 0;
      let pruned = 0;
      for (let seed = group; seed < histories; seed += groups) {
        const played = await createHistory(seed).play();
        verified += played.verified;
        killed += played.killed;
        pruned += played.pruned;
      }
      expect(verified).toBeGreaterThan((histories / groups) * 10);
      expect(killed).toBeGreaterThan(histories / groups);
      expect(pruned).toBeGreaterThan(histories / groups);
    },
    600_000,
  );
});
