// Responsible for reading and writing the pins, in a file or in a bucket outside the store. Not responsible for what they
// prove (snapshots/pins.ts).

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { configFault } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { advancePins, decodePins, encodePins, type Pin } from '../verification/pins.ts';
import type { Survey } from '../verification/survey.ts';
import { requireOutsideStore } from './outside-store.ts';

/** The object with the pins: `store` is its folder or bucket. `name`: the setting or option that names it, for messages. */
export interface PinPlace {
  name: string;
  store: Store;
  key: string;
}

/** For people: `file:/safe/pins.jsonl`. */
export function describePlace({ store, key }: PinPlace): string {
  return `${store.url.replace(/\/$/, '')}/${key}`;
}

/** Null if the file does not exist. Throws ConfigError if it is damaged. */
export async function readPins(place: PinPlace): Promise<readonly Pin[] | null> {
  const bytes = await place.store.get(place.key);
  return bytes && requirePins(place, bytes);
}

function requirePins(place: PinPlace, bytes: Uint8Array): readonly Pin[] {
  const pins = decodePins(bytes);
  if (typeof pins !== 'string') return pins;
  throw configFault(
    place.name,
    `${describePlace(place)} ${pins}`,
    'Nothing was overwritten. Restore the file from a backup. Only if there is none: move it away, and the next `cgs-export verify` starts a new one, which proves nothing about the time before.',
  );
}

const writesMax = 5;

/**
 * After a verification without faults. Reads the pins again before each write, and afterwards to see that another verification
 * did not replace them with older ones. Returns whether the file was changed. Throws ConfigError if it is damaged now.
 */
export async function updatePins(
  place: PinPlace,
  chains: Survey['chains'],
  nowMs: number,
): Promise<boolean> {
  for (let writes = 0; ; writes += 1) {
    const stored = await place.store.get(place.key);
    const pins = stored ? requirePins(place, stored) : [];
    const bytes = encodePins(advancePins(pins, chains, nowMs));
    const isCurrent = stored !== null && Buffer.compare(stored, bytes) === 0;
    if (isCurrent || writes === writesMax) return writes > 0;
    await place.store.put(place.key, bytes);
  }
}

/** Throws ConfigError if a folder has the name of the file. */
export async function requireNoFolder({ name, store, key }: PinPlace): Promise<void> {
  if (!store.url.startsWith('file:')) return;
  const path = join(store.url.slice('file:'.length), key);
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) return;
  throw configFault(name, `${path} is a folder`, 'Name a file, as in /safe/pins.jsonl.');
}

/** Throws ConfigError if the file is inside the folder of the store, also through links. */
export async function requireOutside(
  { name, store, key }: PinPlace,
  audited: Store,
): Promise<void> {
  if (!store.url.startsWith('file:')) return;
  const path = join(store.url.slice('file:'.length), key);
  const reason = 'a person who changes the store could change the pins too';
  const hint =
    'Choose a place that people who can change the store cannot change: another host, another account, or a bucket of its own.';
  await requireOutsideStore({ name, path, reason, hint }, audited);
}
