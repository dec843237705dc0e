// Owns the lease: who may work on a store now. It saves quota and effort; no promise rests on it.

import { StoppedError } from '../core/errors.ts';
import { leasePrefix } from '../core/object-keys.ts';
import type { Clock, Host, Log, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';

/** A lease ends this long after its holder's last sign of life, milliseconds. */
export const leaseMs = 30_000;
/** Signs of life are given when the last is this old, milliseconds; whoever waits looks every 5 s, so none comes too late. */
const renewMs = 20_000;

export interface Lease {
  /** Gives a sign of life when one is due. Throws StoppedError `LEASE_LOST` when somebody else has taken over. */
  renew(): Promise<void>;
  /** Never throws: a lease that cannot be given back ends by itself. */
  release(): Promise<void>;
}

interface Holder {
  identity: string;
  token: string;
  /** Store time. */
  untilMs: number;
}

export interface LeasePorts {
  store: Store;
  clock: Clock;
  host: Host;
  log: Log;
  random: () => number;
}

/** Resolves null when somebody else holds the lease, with how long at the most, milliseconds. */
export type TakeLease = (ports: LeasePorts) => Promise<Lease | { heldForMs: number }>;

/** By exclusive creation where the store has it, else by writing and reading back. */
export const takeLease: TakeLease = (ports) =>
  ports.store.putIfAbsent ? takeNumbered(ports, ports.store.putIfAbsent) : takeWritten(ports);

function encodeHolder(holder: Holder): Uint8Array {
  return Buffer.from(JSON.stringify(holder));
}

/** Null: nothing that a holder wrote, half a write perhaps. */
function decodeHolder(bytes: Uint8Array): Holder | null {
  try {
    const holder: Partial<Holder> | null = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const { identity, token, untilMs } = holder ?? {};
    if (typeof identity === 'string' && typeof token === 'string' && typeof untilMs === 'number') {
      return { identity, token, untilMs };
    }
  } catch {
    // Not an error worth a word: the lease is expendable, see below.
  }
  return null;
}

/** How long at the most what stands at `key` holds, milliseconds. No lease is longer than a lease, whatever it says of itself. */
async function heldForMs(
  { store, host }: LeasePorts,
  key: string,
  bytes: Uint8Array,
): Promise<number> {
  const holder = decodeHolder(bytes);
  if (holder && host.isGone(holder.identity)) return 0;
  const restMs = holder ? holder.untilMs - store.nowMs() : Number.POSITIVE_INFINITY;
  if (restMs <= leaseMs) return Math.max(0, restMs);
  // Unreadable, or a clock that runs ahead: from when it was written.
  const written = (await store.list(key)).find((object) => object.key === key);
  return written ? Math.max(0, written.modifiedMs + leaseMs - store.nowMs()) : 0;
}

/** Leases are numbered: the highest number holds, and taking over is creating the next. */
async function takeNumbered(
  ports: LeasePorts,
  putIfAbsent: NonNullable<Store['putIfAbsent']>,
): Promise<Lease | { heldForMs: number }> {
  const { store, host, random } = ports;
  const token = newToken(random);
  for (;;) {
    const leases = await store.list(leasePrefix);
    const last = leases[leases.length - 1];
    let number = 1;
    if (last) {
      const bytes = await store.get(last.key);
      if (bytes === null) continue;
      const restMs = await heldForMs(ports, last.key, bytes);
      if (restMs > 0) return { heldForMs: restMs };
      number = Number(last.key.slice(leasePrefix.length)) + 1;
      if (!Number.isSafeInteger(number)) number = 1;
    }
    const key = `${leasePrefix}${String(number).padStart(12, '0')}`;
    const holder = (): Holder => ({
      identity: host.identity,
      token,
      untilMs: store.nowMs() + leaseMs,
    });
    if (!(await putIfAbsent(key, encodeHolder(holder())))) continue;
    for (const { key: old } of leases) await store.delete(old);
    return keepLease(ports, {
      key,
      holder,
      async isMine() {
        const now = await store.list(leasePrefix);
        return now[now.length - 1]?.key === key;
      },
    });
  }
}

/**
 * Without exclusive creation: write a token, let writers of the same moment land, and see whose token stands. The holder
 * works meanwhile, since an invocation is billed while it waits: of two that begin within one moment, one stops at the
 * first renewal after it. What both did until then is safe, as no promise rests on the lease.
 */
async function takeWritten(ports: LeasePorts): Promise<Lease | { heldForMs: number }> {
  const { store, clock, host, random } = ports;
  const token = newToken(random);
  const key = `${leasePrefix}holder`;
  const held = await store.get(key);
  if (held) {
    const restMs = await heldForMs(ports, key, held);
    if (restMs > 0) return { heldForMs: restMs };
  }
  const holder = (): Holder => ({
    identity: host.identity,
    token,
    untilMs: store.nowMs() + leaseMs,
  });
  await store.put(key, encodeHolder(holder()));
  const isMine = async () => {
    const now = await store.get(key);
    return now !== null && decodeHolder(now)?.token === token;
  };
  return keepLease(ports, {
    key,
    holder,
    isMine,
    settledMonotonicMs: clock.monotonicMs() + store.settleMs,
  });
}

function keepLease(
  { store, clock, log }: LeasePorts,
  own: {
    key: string;
    holder: () => Holder;
    isMine: () => Promise<boolean>;
    /** From when on `isMine` is the last word; not given: it was when the lease was taken. */
    settledMonotonicMs?: number;
  },
): Lease {
  let renewedMonotonicMs = clock.monotonicMs();
  let settlesMonotonicMs = own.settledMonotonicMs ?? null;
  let lost = false;
  function lose(): never {
    lost = true;
    throw new StoppedError(
      'LEASE_LOST',
      'Another exporter has taken over this store.',
      'Nothing is lost: the run goes on where it stands. If this process was suspended, that is why.',
    );
  }
  return {
    async renew() {
      if (lost) lose();
      if (settlesMonotonicMs !== null && clock.monotonicMs() >= settlesMonotonicMs) {
        if (!(await own.isMine())) lose();
        settlesMonotonicMs = null;
      }
      const silentMs = clock.monotonicMs() - renewedMonotonicMs;
      if (silentMs < renewMs) return;
      // Nobody takes over a lease that has not ended: only one that may have is looked at first.
      if (silentMs >= leaseMs && !(await own.isMine())) lose();
      await store.put(own.key, encodeHolder(own.holder()));
      renewedMonotonicMs = clock.monotonicMs();
    },
    async release() {
      if (lost) return;
      try {
        const silentMs = clock.monotonicMs() - renewedMonotonicMs;
        const isKnownMine = settlesMonotonicMs === null && silentMs < leaseMs;
        if (isKnownMine || (await own.isMine())) await store.delete(own.key);
      } catch (error) {
        log('warn', 'the lease was not given back; it ends by itself', { error });
      }
    },
  };
}
