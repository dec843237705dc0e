// Tests what follows an export on a real store, through the built file: changes, signatures, pins in another bucket, evidence
// for an outsider, pruning, and what a person with write access cannot hide.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBucket, rgw } from '../support/rgw.ts';
import { listNames, readObject, signedFetch } from '../support/signed-fetch.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { runCli, simulate } from './exporting.ts';

/** Three signed snapshots of a list that changes. Pins and public key are kept outside of the bucket. */
async function createAudit() {
  const [bucket, pinBucket] = [await createBucket(), await createBucket()];
  let round = 0;
  const simulator = await simulate({
    nodes: 300,
    beforePage({ offset, list }) {
      if (offset > 0 || round === 0) return;
      for (const node of list.slice(0, 7)) node.agent_status = round === 1 ? 'offline' : 'online';
      list.splice(50, round);
    },
  });
  const { signer, privatePem } = createKeyPair();
  const folder = mkdtempSync(join(tmpdir(), 'cgs-rgw-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const publicKey = join(folder, 'auditor.pem');
  writeFileSync(publicKey, signer.publicPem);
  const settings = [
    'signing: { privateKey: ${CGS_SIGNING_KEY} }',
    `verify: { pins: "obs://${pinBucket}/pins.jsonl", publicKeys: ["${publicKey}"] }`,
    'retention: { all: 0s }',
  ];
  const setup = { simulator, bucket, settings, env: { CGS_SIGNING_KEY: privatePem } };
  /** Without a list of its own, a command has none of the members. */
  const run = async (...command: string[]) => {
    const { code, result, logs } = await runCli(command, setup);
    return { code, json: result as unknown as Record<string, unknown>, result, logs };
  };
  const snapshots: string[] = [];
  const pointers: Buffer[] = [];
  const pointer = `cn-south-4/prj=${simulator.projectId}.json`;
  const pointerNames = ['_head', '_latest'].map(
    (name) => `lake/${name}/container_nodes/rgn=${pointer}`,
  );
  for (; round < 3; round += 1) {
    const { code, result } = await run('export');
    expect({ code, errors: result.errors }).toEqual({ code: 0, errors: [] });
    snapshots.push(result.snapshots[0]?.snapshot ?? '');
    pointers.push(
      (await readObject(rgw.key, rgw.url, bucket, pointerNames[0] ?? '')) ?? Buffer.of(),
    );
  }
  return { bucket, pinBucket, folder, run, snapshots, pointers, pointerNames };
}

async function put(bucket: string, name: string, body: Uint8Array): Promise<void> {
  const request = { method: 'PUT', origin: rgw.url, path: `/${bucket}/${name}`, body };
  expect((await signedFetch(rgw.key, request)).status).toBe(200);
}

async function remove(bucket: string, name: string): Promise<Buffer> {
  const bytes = await readObject(rgw.key, rgw.url, bucket, name);
  const path = `/${bucket}/${name}`;
  const answer = await signedFetch(rgw.key, { method: 'DELETE', origin: rgw.url, path });
  expect(answer.status).toBe(204);
  return bytes ?? Buffer.of();
}

const messagesOf = (json: Record<string, unknown>) => JSON.stringify(json.errors);

test('changes, verification with key and pins, and evidence of a signed history in a bucket', async () => {
  const { pinBucket, folder, run, snapshots } = await createAudit();
  const verified = await run('verify');
  expect(verified.json).toMatchObject({
    ...{ status: 'verified', manifests: 3, faults: [], unnamed: [], unchecked: [] },
    signatures: { valid: 3, keysFrom: 'given' },
    pins: { isCreated: true },
  });
  expect(await listNames(rgw.key, rgw.url, pinBucket, '')).toEqual(['pins.jsonl']);
  expect((await run('verify')).json).toMatchObject({ status: 'verified', pinned: { targets: 1 } });

  const diff = await run('diff');
  expect(diff.json.targets).toMatchObject([{ added: 0, removed: 2, changed: 7 }]);

  const zip = join(folder, 'evidence.zip');
  const packed = await run('evidence', snapshots[0] ?? '', '--out', zip);
  expect({ code: packed.code, errors: packed.json.errors }).toEqual({ code: 0, errors: [] });
  execFileSync('unzip', ['-q', zip, '-d', join(folder, 'evidence')]);
  const checked = execFileSync('sha256sum', ['-c', 'SHA256SUMS'], {
    cwd: join(folder, 'evidence'),
    encoding: 'utf8',
  });
  // The rows of one snapshot in two formats, three manifests and signatures, one key.
  expect(checked.trim().split('\n').length).toBeGreaterThanOrEqual(2 + 3 + 3 + 1);
  expect(checked).not.toContain('FAILED');
});

test('a bucket that was set back, or that lost rows, is found with pins and a key', async () => {
  const { bucket, run, snapshots, pointers, pointerNames } = await createAudit();
  expect((await run('verify')).code).toBe(0);
  const newest = snapshots[2] ?? '';
  const names = await listNames(rgw.key, rgw.url, bucket, 'lake/');
  const removed: [string, Buffer][] = [];
  for (const name of names.filter((one) => one.includes(newest) && !one.includes('/_runs/'))) {
    removed.push([name, await remove(bucket, name)]);
  }
  const head = pointers[2] ?? Buffer.of();
  for (const name of pointerNames) await put(bucket, name, pointers[1] ?? Buffer.of());
  await remove(bucket, 'lake/_runs/schedule.json');
  const setBack = await run('verify');
  expect(setBack.code).toBe(5);
  expect(messagesOf(setBack.json)).toMatch(
    new RegExp(`${newest}.json: is missing: a pin names it`),
  );
  for (const [name, bytes] of removed) await put(bucket, name, bytes);
  for (const name of pointerNames) await put(bucket, name, head);
  expect((await run('verify')).code).toBe(0);

  const part = names.find(
    (one) => one.startsWith(`lake/container_nodes/`) && one.includes(snapshots[0] ?? '-'),
  );
  await remove(bucket, part ?? '');
  const lost = await run('verify');
  expect(lost.code).toBe(5);
  expect(messagesOf(lost.json)).toContain(part?.slice('lake/'.length));
});

test('prunes a bucket; verify accepts what the tombstones say, and their evidence is refused', async () => {
  const { bucket, folder, run, snapshots } = await createAudit();
  const before = await listNames(rgw.key, rgw.url, bucket, 'lake/');
  const planned = await run('prune', '--dry-run');
  expect(planned.json).toMatchObject({ status: 'planned', sum: { pruned: { snapshots: 2 } } });
  expect(await listNames(rgw.key, rgw.url, bucket, 'lake/')).toEqual(before);
  expect((await run('prune')).json).toMatchObject({
    ...{ status: 'pruned', deleted: { tombstones: 2, parts: 4 }, errors: [] },
  });
  const left = await listNames(rgw.key, rgw.url, bucket, 'lake/container_nodes/');
  expect(left.filter((name) => !name.includes(snapshots[2] ?? '-'))).toEqual([]);
  expect((await run('verify')).json).toMatchObject({
    ...{ status: 'verified', faults: [], pruned: 2, prunedParts: 4 },
  });
  expect((await run('prune')).json).toMatchObject({ deleted: { tombstones: 0, parts: 0 } });
  const refused = await run('evidence', snapshots[0] ?? '', '--out', join(folder, 'x.zip'));
  expect(refused.code).toBe(2);
  expect(messagesOf(refused.json)).toContain(snapshots[2]);
});
