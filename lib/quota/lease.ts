// Responsible for the lease: one exporter works on a store at a time. It saves quota and effort; no promise depends on it.

import * as v from 'valibot';
import { StoppedError } from '../core/errors.ts';
import { leasePrefix } from '../core/object-keys.ts';
import type { Clock, Host, Log, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';

/** A lease ends this long after it was taken or renewed, milliseconds. */
export const leaseMs = 30_000;
/** A time stamp can be this far ahead of the time that the store told, milliseconds. */
const clockDoubtMs = 1_000;
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

/** The bytes of a lease object. `untilMs`: store time. `writtenMonotonicMs`: monotonic time of the holder. */
const holderShape = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    identity: v.string(),
    name: v.string(),
    token: v.string(),
    untilMs: v.number(),
    writtenMonotonicMs: v.number(),
  }),
);
type Holder = v.InferOutput<typeof holderShape>;

/** Another exporter holds the lease. */
export interface Held {
  /** At most this long, unless the holder renews it. */
  heldForMs: number;
  /** The name of the holder, for people; null: not known. */
  holder: string | null;
}

/** What an exporter that waits for the lease remembers: the lease it has seen, and since when, monotonic time. */
export interface LeaseWatch {
  content: string;
  sinceMonotonicMs: number;
}

export function watchLease(): LeaseWatch {
  return { content: '', sinceMonotonicMs: 0 };
}

/**
 * Takes the lease: by exclusive creation if the store has it, otherwise by writing and reading back. An exporter that waits
 * passes the same `watch` each time.
 */
export function takeLease(ports: LeasePorts, watch = watchLease()): Promise<Lease | Held> {
  const { putIfAbsent } = ports.store;
  return putIfAbsent ? takeByCreation(ports, watch, putIfAbsent) : takeByReadback(ports, watch);
}

/** Who holds the lease now; null: it is free. Only reads. */
export async function readHolder(ports: LeasePorts): Promise<Held | null> {
  const keys = (await ports.store.list(leasePrefix)).map(({ key }) => key).filter(isLeaseKey);
  const last = keys.sort().at(-1);
  const bytes = last === undefined ? null : await ports.store.get(last);
  return last === undefined || bytes === null ? null : findHolder(ports, watchLease(), last, bytes);
}

function encodeHolder({ store, clock, host }: LeasePorts, token: string): Uint8Array {
  const { identity, name } = host;
  const untilMs = store.nowMs() + leaseMs;
  const writtenMonotonicMs = clock.monotonicMs();
  const holder: Holder = { identity, name, token, untilMs, writtenMonotonicMs };
  return Buffer.from(JSON.stringify(holder));
}

/** Null if the bytes are not the content of a lease, for example after a partial write. */
function decodeHolder(bytes: Uint8Array): Holder | null {
  const result = v.safeParse(holderShape, Buffer.from(bytes).toString('utf8'));
  return result.success ? result.output : null;
}

/** Null if the lease at `key` has ended. */
async function findHolder(
  ports: LeasePorts,
  watch: LeaseWatch,
  key: string,
  bytes: Uint8Array,
): Promise<Held | null> {
  const { clock, host } = ports;
  const holder = decodeHolder(bytes);
  if (holder && host.isGone(holder.identity)) return null;
  const nowMs = clock.monotonicMs();
  const content = `${key} ${Buffer.from(bytes).toString('base64')}`;
  if (watch.content !== content) Object.assign(watch, { content, sinceMonotonicMs: nowMs });
  // A lease that was not renewed for this long has ended, whatever the clocks say.
  const unchangedMs = nowMs - watch.sinceMonotonicMs;
  const restMs = await remainingMs(ports, key, holder);
  const heldForMs = Math.min(restMs, leaseMs - unchangedMs);
  return heldForMs <= 0 ? null : { heldForMs, holder: holder?.name ?? null };
}

/** How long the lease at `key` still holds, milliseconds; 0 or less if it has ended. */
async function remainingMs(
  { store, clock, host }: LeasePorts,
  key: string,
  holder: Holder | null,
): Promise<number> {
  const nowMonotonicMs = clock.monotonicMs();
  const isOfThisBoot = host.boot !== null && holder?.identity.startsWith(`${host.boot}.`);
  if (holder && isOfThisBoot && holder.writtenMonotonicMs <= nowMonotonicMs) {
    return holder.writtenMonotonicMs + leaseMs - nowMonotonicMs;
  }
  const fileClock = await store.readClock?.();
  const nowMs = fileClock?.nowMs ?? store.nowMs();
  const isOwnClock = fileClock === undefined;
  if (holder && isOwnClock && holder.untilMs - nowMs <= leaseMs) return holder.untilMs - nowMs;
  // Unreadable, or written by another host's clock: count from the time when the object was written.
  const written = (await store.list(key)).find((object) => object.key === key);
  const restMs = written ? written.modifiedMs + leaseMs - nowMs : 0;
  // No clock of the store can have shown this time: it was set back since.
  return restMs <= leaseMs + clockDoubtMs ? restMs : 0;
}

const numbered = /^\d{12}$/;

/** True for the key of a lease of either kind. Other objects beside it are ignored. */
export function isLeaseKey(key: string): boolean {
  const name = key.slice(leasePrefix.length);
  return name === 'holder' || numbered.test(name);
}

/** Keys of the numbered leases, ascending. */
async function listLeases({ store, log }: LeasePorts): Promise<string[]> {
  const objects = await store.list(leasePrefix);
  const keys = objects
    .map(({ key }) => key)
    .filter((key) => numbered.test(key.slice(leasePrefix.length)));
  if (keys.length < objects.length) {
    const count = objects.length - keys.length;
    log('debug', 'ignoring objects under _lease/ that are not leases', { count });
  }
  return keys;
}

/** Leases have numbers. The highest number is the valid one; to take over, an exporter creates the next number. */
async function takeByCreation(
  ports: LeasePorts,
  watch: LeaseWatch,
  putIfAbsent: NonNullable<Store['putIfAbsent']>,
): Promise<Lease | Held> {
  const { store, random } = ports;
  const token = newToken(random);
  for (;;) {
    const leases = await listLeases(ports);
    const last = leases.at(-1);
    if (last !== undefined) {
      const bytes = await store.get(last);
      if (bytes === null) continue; // It was released in the meantime.
      const held = await findHolder(ports, watch, last, bytes);
      if (held) return held;
    }
    const number = last === undefined ? 1 : Number(last.slice(leasePrefix.length)) + 1;
    const key = `${leasePrefix}${String(number).padStart(12, '0')}`;
    const isCreated = await putIfAbsent(key, encodeHolder(ports, token));
    if (!isCreated) continue; // Another exporter has created this number.
    for (const old of leases) await store.delete(old);
    const isMine = async () => (await listLeases(ports)).at(-1) === key;
    return keepLease(ports, { key, token, isMine, settledMonotonicMs: null });
  }
}

/**
 * Without exclusive creation: writes a token and returns at once. The first renewal after `settleMs`, when competing writes
 * have ended, reads back whose token is stored. Why: docs/design/decisions/lease-settles-while-working.md.
 */
async function takeByReadback(ports: LeasePorts, watch: LeaseWatch): Promise<Lease | Held> {
  const { store, clock, random } = ports;
  const token = newToken(random);
  const key = `${leasePrefix}holder`;
  const bytes = await store.get(key);
  if (bytes) {
    const held = await findHolder(ports, watch, key, bytes);
    if (held) return held;
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
      // By the store's own clock, another exporter can take over only a lease that has ended: a younger one needs no check.
      const mayBeTaken = ageMs() >= leaseMs || store.readClock !== undefined;
      if (mayBeTaken && !(await own.isMine())) lose();
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
