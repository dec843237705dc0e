// Responsible for manifests for the tests of alerts: only what alerts read differs between them.

import { manifestKey } from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
  type Sealed,
} from '../../lib/snapshots/manifest.ts';
import { listHistory } from '../support/sealed-history.ts';
import { someTarget } from '../support/stored-run.ts';

const [template] = [...listHistory({ count: 1, newestMs: Date.UTC(2026, 10, 24) })].flatMap(
  ({ key, bytes }) => (key.startsWith('_manifests/') ? [decodeManifest(key, bytes)] : []),
);

export type Sketch = Pick<Manifest, 'snapshot' | 'verdict'> & { rows?: number; opened?: number };

/** All of 100 nodes are protected, unless the sketch says otherwise. */
export function sealedOf({
  rows = 100,
  opened = rows,
  ...sketch
}: Sketch): Sealed & { bytes: Uint8Array } {
  const values = { ...template?.values, protect_status: { opened } };
  const manifest = { ...(template as Manifest), ...sketch, rows, values };
  const bytes = encodeManifest(manifest);
  const key = manifestKey(someTarget, manifest.snapshot);
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes), bytes };
}
