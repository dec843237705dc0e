// Tests of examples/docker and examples/kubernetes without Docker and without a cluster. Method: the steps of the Dockerfile run in
// a folder that stands for the image; then its commands run as process 1 of a read-only copy, as the user of the image.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';
import { createFolder, type Ended, root, type Started } from '../e2e/processes.ts';
import { buildImage, type Image } from './dockerfile.ts';
import {
  checker,
  copyExample,
  findBadSchedules,
  makeKeys,
  packInto,
  pointAt,
  readKeys,
} from './packed.ts';
import { type Mount, stop } from './root-folder.ts';

let image: Image;
beforeAll(async () => {
  const context = copyExample('docker');
  packInto(context);
  image = await buildImage(context);
});

function start(command: readonly string[], mounts: readonly Mount[], env = {}): Promise<Started> {
  const { user, group, cwd } = image;
  return image.root.start(command, { user, group, cwd, env: { ...image.env, ...env }, mounts });
}

const runImage = (args: readonly string[], mounts: readonly Mount[], env = {}) =>
  start([...image.entrypoint, ...args], mounts, env);

/** A folder that belongs to the user of the image, as a volume does. */
function createVolume(): string {
  const folder = createFolder();
  chownSync(folder, Number(image.user), Number(image.group));
  return folder;
}

type Service = Awaited<ReturnType<typeof startService>>;

async function startService(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ nodes: 420, quota: null, ...options });
  onTestFinished(() => simulator.stop());
  const keys = makeKeys(simulator);
  const publicKey = readFileSync(join(keys, 'keys/signing-public.pem'), 'utf8');
  return { simulator, env: readKeys(keys), publicKey };
}

/** A configuration with one target, and volumes for it and for the store. */
async function createWorld(
  options: SimulatorOptions = {},
  quota = 'requests: 1000, windowSeconds: 1',
) {
  const { simulator, env, publicKey } = await startService(options);
  const [config, data] = [createFolder(), createVolume()];
  const { region, projectId, url } = simulator;
  const target = `{ region: ${region}, projectId: ${projectId}, endpoint: "${url}" }`;
  writeFileSync(
    join(config, 'cgs-export.yml'),
    `store: file:/data/store\nquota: { ${quota} }\naccounts: [{ name: prod, targets: [${target}] }]\n\
signing: { privateKey: "\${CGS_SIGNING_KEY}" }\nverify: { publicKeys: [signing-public.pem] }\n`,
  );
  writeFileSync(join(config, 'signing-public.pem'), publicKey);
  chmodSync(config, 0o755);
  const mounts = [
    { folder: config, place: '/etc/cgs-export', isReadOnly: true },
    { folder: data, place: '/data' },
  ];
  return { simulator, env, mounts, data, config };
}

const listManifests = (store: string) => {
  const names = readdirSync(store, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /_manifests\/.*\.json$/.test(name));
};

async function until(isTrue: () => boolean, { texts }: Started): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    if (tries === 600) throw new Error(`nothing happened: ${texts.out}${texts.err}`);
    await delay(50);
  }
}

describe('Docker', () => {
  test('hadolint finds nothing wrong with the Dockerfile', () => {
    const lint = (args: readonly string[], input?: string) =>
      spawnSync(checker('hadolint'), args, { encoding: 'utf8', input });
    const path = join(root, 'examples/docker/Dockerfile');
    expect(lint([path])).toMatchObject({ status: 0, stdout: '' });
    // It does find faults.
    const text = readFileSync(path, 'utf8').replace(/^FROM .*/m, 'FROM node:latest');
    expect(lint(['-'], text).stdout).toContain('DL3007');
  });

  test('the image has no root, and writes only to volumes and /tmp', async () => {
    const { mounts } = await createWorld();
    const script =
      'id -u; id -g; touch /data/a /tmp/b && echo can; touch /etc/c /usr/d || echo cannot';
    const { out } = await (await start(['sh', '-c', script], mounts)).ended;
    expect(out).toBe('1000\n1000\ncan\ncannot\n');
  });

  test('exports, and is unhealthy before the first snapshot and healthy after it', async () => {
    const { mounts, env, data } = await createWorld();
    const check = async () => (await start(image.healthCheck, mounts, env)).ended;
    // 0 and 1 are the only codes that Docker documents.
    expect(await check()).toMatchObject({
      code: 1,
      err: expect.stringContaining('does not exist'),
    });
    const exported = await (await runImage(['export'], mounts, env)).ended;
    expect(exported).toMatchObject({ code: 0, out: expect.stringContaining('420 rows') });
    expect(await check()).toMatchObject({ code: 0 });
    const [manifest = ''] = listManifests(data);
    expect(manifest).toMatch(/^store\//);
    expect(statSync(join(data, manifest))).toMatchObject({ uid: 1000, mode: 0o100600 });
    expect(await (await runImage(['verify'], mounts)).ended).toMatchObject({ code: 0 });
  });

  test('as process 1, `export` that waits for the quota ends on SIGTERM, and the next container continues', async () => {
    const quota = { requests: 1, windowSeconds: 5 };
    const world = await createWorld({ quota }, 'requests: 1, windowSeconds: 5');
    const { simulator, mounts, env, data } = world;
    const first = await runImage(['export'], mounts, env);
    await until(() => simulator.requests().length === 1, first);
    // Until the page is stored. The next slot is free later.
    await delay(1000);
    const stopped = await stop(first);
    expect(stopped.code, stopped.err).toBe(4);
    expect(stopped.seconds).toBeLessThan(5);
    expect(listManifests(data)).toEqual([]);
    const next = await (await runImage(['export'], mounts, env)).ended;
    expect(next.code, next.err).toBe(0);
    // 420 nodes: three pages, none of them twice. Both containers together kept the quota.
    expect(simulator.requests().map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('without arguments it ticks until SIGTERM, also between two ticks', async () => {
    const { mounts, env, data } = await createWorld();
    const container = await runImage([], mounts, env);
    await until(() => listManifests(data).length === 1, container);
    // The tick ends, and the container waits for the next minute.
    await delay(1500);
    const { code, seconds, err } = await stop(container);
    expect(code, err).toBe(0);
    expect(seconds).toBeLessThan(5);
  });

  test('without arguments it ends in time if SIGTERM arrives during a tick', async () => {
    const { mounts, env } = await createWorld({ latencyMs: { min: 60_000, max: 60_000 } });
    const container = await runImage([], mounts, env);
    await until(() => container.texts.err.includes('starting a new run'), container);
    await delay(500);
    const { code, seconds, err } = await stop(container);
    expect(code, err).toBe(0);
    expect(seconds).toBeLessThan(5);
  });

  test('a configuration error ends the container', async () => {
    const { mounts, config } = await createWorld();
    writeFileSync(join(config, 'cgs-export.yml'), 'stor: file:/data\n');
    const ended = await (await runImage([], mounts)).ended;
    expect(ended).toMatchObject({ code: 2, err: expect.stringContaining('stor') });
  });
});

interface CronJob {
  metadata: { name: string };
  spec: {
    schedule: string;
    concurrencyPolicy: string;
    jobTemplate: {
      spec: {
        backoffLimit: number;
        activeDeadlineSeconds: number;
        template: { spec: PodSpec };
      };
    };
  };
}
interface PodSpec {
  securityContext: Record<string, unknown>;
  containers: [
    {
      args: string[];
      env?: { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }[];
      resources: { limits: { memory: string } };
      securityContext: Record<string, unknown>;
      volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
    },
  ];
  volumes: {
    name: string;
    configMap?: { name: string };
    persistentVolumeClaim?: { claimName: string };
    emptyDir?: object;
  }[];
}

describe('Kubernetes', () => {
  const folder = join(root, 'examples/kubernetes');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const documents = files.flatMap((name) =>
    parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((one) => one.toJS()),
  );
  const cronJobs: CronJob[] = documents.filter(({ kind }) => kind === 'CronJob');
  const podOf = (job: CronJob) => job.spec.jobTemplate.spec.template.spec;

  test('all documents are valid by the schema of Kubernetes, which knows no other member', () => {
    const validate = (paths: readonly string[]) =>
      spawnSync(checker('kubernetes-validate'), ['--strict', ...paths], { encoding: 'utf8' });
    expect(files.length).toBeGreaterThan(5);
    const good = validate(files.map((name) => join(folder, name)));
    expect(good.status, `${good.stdout}${good.stderr}`).toBe(0);
    // It does find faults.
    const job = structuredClone(cronJobs[0]) as CronJob;
    Object.assign(podOf(job), { restartPolice: 'Never' });
    const bad = join(createFolder(), 'bad.yaml');
    writeFileSync(bad, stringify(job));
    expect(validate([bad]).status).not.toBe(0);
  });

  test('schedules are those of cron', () => {
    const schedules = cronJobs.map(({ spec }) => spec.schedule);
    expect(schedules.length).toBe(5);
    expect(findBadSchedules([...schedules, '61 * * * *'])).toEqual(['61 * * * *']);
  });

  test.each(cronJobs.map((job) => [job.metadata.name, job] as const))(
    '%s runs one pod at a time, with the rights of the restricted profile',
    (_name, job) => {
      expect(job.spec.concurrencyPolicy).toBe('Forbid');
      expect(podOf(job)).toMatchObject({
        automountServiceAccountToken: false,
        restartPolicy: 'Never',
        securityContext: {
          ...{ runAsNonRoot: true, runAsUser: Number(image.user), runAsGroup: Number(image.group) },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      });
      expect(podOf(job).containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    },
  );

  /** The volumes of the namespace: one folder for each claim, and one for the configuration. */
  function createNamespace({ simulator, env: secret, publicKey }: Service) {
    const { data } = documents.find(({ kind }) => kind === 'ConfigMap');
    const folders = new Map<string, string>();
    const provide = (name: string) => {
      const known = folders.get(name) ?? createVolume();
      folders.set(name, known);
      return known;
    };
    const configMap = createFolder();
    chmodSync(configMap, 0o755);
    for (const [name, text] of Object.entries<string>(data)) {
      const isConfig = name === 'cgs-export.yml';
      writeFileSync(join(configMap, name), isConfig ? pointAt(simulator, text) : publicKey);
    }
    return {
      claim: provide,
      async run(name: string): Promise<Ended> {
        const pod = podOf(cronJobs.find(({ metadata }) => metadata.name === name) as CronJob);
        const [container] = pod.containers;
        const mounts = container.volumeMounts.flatMap(({ name: volume, mountPath, readOnly }) => {
          const source = pod.volumes.find((one) => one.name === volume);
          // /tmp is empty and writable in any case.
          if (source?.emptyDir) return [];
          const claim = source?.persistentVolumeClaim?.claimName;
          const folder = claim === undefined ? configMap : provide(claim);
          return [{ folder, place: mountPath, isReadOnly: readOnly ?? false }];
        });
        const env = (container.env ?? []).map(({ name: variable, valueFrom }) => {
          const { name: from, key } = valueFrom.secretKeyRef;
          expect(from).toBe('cgs-export');
          return [variable, secret[key] ?? ''] as const;
        });
        return (await runImage(container.args, mounts, Object.fromEntries(env))).ended;
      },
    };
  }

  test('the jobs run as written, one after another', async () => {
    const service = await startService();
    const { simulator } = service;
    const namespace = createNamespace(service);
    const data = namespace.claim('cgs-export');
    // Before the first export the store does not exist.
    expect(await namespace.run('cgs-export-check')).toMatchObject({ code: 2 });
    for (const name of ['', '-check', '-verify', '-report', '-prune']) {
      const ended = await namespace.run(`cgs-export${name}`);
      expect(ended.code, `${name}: ${ended.out}${ended.err}`).toBe(0);
    }
    expect(listManifests(join(data, 'store'))).toHaveLength(1);
    expect(readdirSync(join(data, 'reports'))).toContain('report.html');
    expect(readdirSync(namespace.claim('cgs-export-pins'))).toEqual(['pins.jsonl']);
    expect(simulator.requests().length).toBe(3);
  });

  test('a wrong key fails the job with an exit code that is not tried again', async () => {
    const service = await startService();
    const env = { ...service.env, HUAWEICLOUD_SDK_SK: 'wrong-secret' };
    const { code } = await createNamespace({ ...service, env }).run('cgs-export');
    const { spec } = parse(readFileSync(join(folder, 'export.yaml'), 'utf8'));
    const { rules } = spec.jobTemplate.spec.podFailurePolicy;
    const final = rules.find((rule: { action: string }) => rule.action === 'FailJob').onExitCodes;
    expect(final.values).toContain(code);
  });
});
