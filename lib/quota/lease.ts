// Responsible for the lease: one exporter works on a store at a time. It saves quota and effort; no promise depends on it.

import * as v from 'valibot';
import { StoppedError } from '../core/errors.ts';
import { leasePrefix } from '../core/object-keys.ts';
import type { Clock, Host, Log, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';

/** A lease ends this long after it was taken or renewed, milliseconds. */
export const leaseMs = 30_000;
/** A lease of this age is renewed, milliseconds. Callers call renew() at least every 5 s, so it never ends before. */
const renewAfterMs = 20_000;

export type Lease = ReturnType<typeof keepLease>;

export interface LeasePorts {
  store: Store;
  clock: Clock;
  host: Host;
  log: Log;
  random: () => number;
}

/** The bytes of a lease object. `untilMs`: store time. */
const holderShape = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ identity: v.string(), token: v.string(), untilMs: v.number() }),
);
type Holder = v.InferOutput<typeof holderShape>;

/**
 * Takes the lease: by exclusive creation if the store has it, otherwise by writing and reading back. `heldForMs`: another
 * exporter holds the lease, for at most this long.
 */
export function takeLease(ports: LeasePorts): Promise<Lease | { heldForMs: number }> {
  const { putIfAbsent } = ports.store;
  return putIfAbsent ? takeByCreation(ports, putIfAbsent) : takeByReadback(ports);
}

function encodeHolder({ store, host }: LeasePorts, token: string): Uint8Array {
  const untilMs = store.nowMs() + leaseMs;
  return Buffer.from(JSON.stringify({ identity: host.identity, token, untilMs } satisfies Holder));
}

/** Null if the bytes are not the content of a lease, for example after a partial write. */
function decodeHolder(bytes: Uint8Array): Holder | null {
  const result = v.safeParse(holderShape, Buffer.from(bytes).toString('utf8'));
  return result.success ? result.output : null;
}

/** How long the lease at `key` still holds, milliseconds; 0 if it has ended. Never more than `leaseMs`, whatever it contains. */
async function remainingMs(
  { store, host }: LeasePorts,
  key: string,
  bytes: Uint8Array,
): Promise<number> {
  const holder = decodeHolder(bytes);
  if (holder && host.isGone(holder.identity)) return 0;
  const restMs = holder ? holder.untilMs - store.nowMs() : Number.POSITIVE_INFINITY;
  if (restMs <= leaseMs) return Math.max(0, restMs);
  // Unreadable, or written by a clock that was ahead: count from the time when the object was written.
  const written = (await store.list(key)).find((object) => object.key === key);
  return written ? Math.max(0, written.modifiedMs + leaseMs - store.nowMs()) : 0;
}

/** Leases have numbers. The highest number is the valid one; to take over, an exporter creates the next number. */
async function takeByCreation(
  ports: LeasePorts,
  putIfAbsent: NonNullable<Store['putIfAbsent']>,
): Promise<Lease | { heldForMs: number }> {
  const { store, random } = ports;
  const token = newToken(random);
  for (;;) {
    const leases = await store.list(leasePrefix);
    const last = leases.at(-1);
    let number = 1;
    if (last) {
      const bytes = await store.get(last.key);
      if (bytes === null) continue; // It was released in the meantime.
      const heldForMs = await remainingMs(ports, last.key, bytes);
      if (heldForMs > 0) return { heldForMs };
      number = Number(last.key.slice(leasePrefix.length)) + 1;
      if (!Number.isSafeInteger(number)) number = 1;
    }
    const key = `${leasePrefix}${String(number).padStart(12, '0')}`;
    const isCreated = await putIfAbsent(key, encodeHolder(ports, token));
    if (!isCreated) continue; // Another exporter has created this number.
    for (const { key: old } of leases) await store.delete(old);
    const isMine = async () => (await store.list(leasePrefix)).at(-1)?.key === key;
    return keepLease(ports, { key, token, isMine, settledMonotonicMs: null });
  }
}

/**
 * Without exclusive creation: writes a token and returns at once. The first renewal after `settleMs`, when competing writes
 * have ended, reads back whose token is stored. Why: docs/design/decisions/lease-settles-while-working.md.
 */
async function takeByReadback(ports: LeasePorts): Promise<Lease | { heldForMs: number }> {
  const { store, clock, random } = ports;
  const token = newToken(random);
  const key = `${leasePrefix}holder`;
  const bytes = await store.get(key);
  if (bytes) {
    const heldForMs = await remainingMs(ports, key, bytes);
    if (heldForMs > 0) return { heldForMs };
  }
  await store.put(key, encodeHolder(ports, token), { durability: 'acknowledged' });
  const isMine = async () => {
    const current = await store.get(key);
    return current !== null && decodeHolder(current)?.token === token;
  };
  const settledMonotonicMs = clock.monotonicMs() + store.settleMs;
  return keepLease(ports, { key, token, isMine, settledMonotonicMs });
}

function keepLease(
  ports: LeasePorts,
  own: {
    key: string;
    token: string;
    isMine: () => Promise<boolean>;
    /** The result of `isMine` is final only after this time; null: it was final when the lease was taken. */
    settledMonotonicMs: number | null;
  },
) {
  const { store, clock, log } = ports;
  let renewedMonotonicMs = clock.monotonicMs();
  let { settledMonotonicMs } = own;
  let isLost = false;
  const ageMs = () => clock.monotonicMs() - renewedMonotonicMs;
  function lose(): never {
    isLost = true;
    throw new StoppedError(
      'LEASE_LOST',
      'Another exporter has taken over this store.',
      'No data is lost: the run continues after its last stored page. This happens when a process was suspended for more than 30 seconds, or when two start at the same moment.',
    );
  }
  return {
    /** Renews the lease when that is due. Throws StoppedError `LEASE_LOST` if another exporter has taken it. */
    async renew(): Promise<void> {
      if (isLost) lose();
      if (settledMonotonicMs !== null && clock.monotonicMs() >= settledMonotonicMs) {
        if (!(await own.isMine())) lose();
        settledMonotonicMs = null;
      }
      if (ageMs() < renewAfterMs) return;
      // Another exporter can take over only a lease that has ended, so a younger lease needs no check.
      if (ageMs() >= leaseMs && !(await own.isMine())) lose();
      await store.put(own.key, encodeHolder(ports, own.token), { durability: 'acknowledged' });
      renewedMonotonicMs = clock.monotonicMs();
    },
    /** Never throws: a lease that cannot be released ends by itself. */
    async release(): Promise<void> {
      if (isLost) return;
      try {
        const isKnownMine = settledMonotonicMs === null && ageMs() < leaseMs;
        if (isKnownMine || (await own.isMine())) await store.delete(own.key);
      } catch (error) {
        log('warn', 'the lease could not be released; it ends by itself', { error });
      }
    },
  };
}
