// Owns how a function is brought to what is wanted, and what is put back when that fails. Refuses to print.
// Whoever gets no answer does not know whether it was done: then what stands is read, and what is left to do is planned anew.

import { createHash } from 'node:crypto';
import { ConfigError, ExportError, TransientError } from '../core/errors.ts';
import {
  compareConfig,
  listAdded,
  listStays,
  restoreBody,
  restoreTriggerBody,
  type Secrets,
} from './configuration-diff.ts';
import type { DeployedFunction, DeployedTrigger, FunctionGraph } from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';
import { type Extent, planSteps, type Standing, type Step, type Wish } from './steps.ts';

export interface Deployment {
  urn: string;
  /** What was changed, in words; empty and no error: nothing had to be. */
  done: string[];
  /** What was wanted and is not so, because of `error`. */
  notDone: string[];
  /** What runs after all; `unknown`: nobody answered. */
  stands: 'nothing' | 'old code' | 'new code' | 'unknown';
  /** What it has and serverless.yml has not: the API documents no way to take it away. */
  stays: string[];
  error: ExportError | null;
}

export interface DeployPorts {
  api: FunctionGraph;
  /** Told before each step, for a person who watches. */
  progress: (text: string) => void;
}

/** A step whose answer was lost, and that is not done, is tried this often. */
const triesMax = 2;

export function urnOf(place: { region: string; projectId: string }, settings: FunctionSettings) {
  const { region, projectId } = place;
  return `urn:fss:${region}:${projectId}:function:${settings.app}:${settings.name}`;
}

/** A fault of the API is in the result; only what is found before the first change is thrown. */
export async function deployFunction(
  ports: DeployPorts,
  urn: string,
  settings: FunctionSettings,
  secrets: Secrets,
  zip: Uint8Array,
  extent: Extent = 'all',
): Promise<Deployment> {
  const { api, progress } = ports;
  const digest = createHash('sha512').update(zip).digest('hex');
  const wish: Wish = { api, urn, settings, secrets, zip, digest, extent };
  progress(`${settings.name}: what is deployed`);
  const before = await readStanding(wish);
  checkStanding(wish, before);
  const done = new Map<string, string>();
  const tries = new Map<string, number>();
  const planRest = (standing: Standing) =>
    planSteps(wish, standing).filter(({ id }) => !done.has(id));
  let rest = planRest(before);
  for (let step = rest[0]; step; step = rest[0]) {
    progress(`${settings.name}: ${step.what}`);
    try {
      const isChanged = (await step.run()) !== false;
      // As wanted already, after an answer that was lost: that one did it.
      if (isChanged || tries.has(step.id)) done.set(step.id, step.what);
      rest = rest.slice(1);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      tries.set(step.id, (tries.get(step.id) ?? 0) + 1);
      const standing = await readStanding(wish).catch(() => null);
      if (standing) {
        const { id, what } = step;
        rest = planRest(standing);
        // Whatever was answered: it stands as wanted.
        if (!rest.some((other) => other.id === id)) {
          done.set(id, what);
          continue;
        }
        if (error instanceof TransientError && (tries.get(id) ?? 0) < triesMax) continue;
      }
      return endFailed(wish, { before, standing, done, rest, failed: step, error });
    }
  }
  const stays = extent === 'code' ? [] : listStays(settings, before.function);
  return { urn, done: [...done.values()], notDone: [], stands: 'new code', stays, error: null };
}

async function readStanding({ api, urn, extent }: Wish): Promise<Standing> {
  const found = await api.findFunction(urn);
  const isPart = found === null || extent === 'code';
  const async = isPart ? null : await api.findAsync(urn);
  const triggers = isPart || extent === 'config' ? [] : await api.listTriggers(urn);
  return { function: found, async, triggers };
}

/** Throws ConfigError for what no call to the API would bring about. */
function checkStanding({ settings, extent }: Wish, { function: current }: Standing): void {
  const { key, name } = settings;
  if (current || extent === 'all') return;
  const hint = 'Run `serverless deploy` once: it makes the function and its timers.';
  throw new ConfigError([{ path: `functions.${key}`, message: `${name} is not deployed`, hint }]);
}

/** Says what stands. Only where the old code is known to run on does the configuration go back: it must not run under the new one. */
async function endFailed(
  wish: Wish,
  end: {
    before: Standing;
    standing: Standing | null;
    done: Map<string, string>;
    rest: readonly Step[];
    failed: Step;
    error: ExportError;
  },
): Promise<Deployment> {
  const { urn, settings } = wish;
  const { before, done, rest, failed, error } = end;
  const isKnown = failed.id === 'code' && done.has('config') && end.standing !== null;
  const goesBack = isKnown ? before.function : null;
  const standing =
    goesBack !== null
      ? await putBack(wish, goesBack, done)
      : await restoreTimer(wish, before, end.standing, failed);
  const isBack = goesBack !== null && !done.has('config');
  const left = standing
    ? planSteps(wish, standing).filter(({ id }) => !done.has(id))
    : rest.filter(({ id }) => !done.has(id));
  const notDone = left.map(({ id, what }) => {
    if (id === 'config' && isBack) return `${what} (put back)`;
    if (standing === null && id === failed.id) {
      const isTimer = findTimer(before, id) !== undefined;
      return `${what} (or it was${isTimer ? ', or there is none now' : ''}: nobody answers)`;
    }
    return standing && isGone(id, before, standing) ? `${what}: the old one is gone` : what;
  });
  const stays = standing ? listStays(settings, standing.function) : [];
  const stands = nameCode(wish, before, standing, done);
  return { urn, done: [...done.values()], notDone, stands, stays, error };
}

/** Judged by what stands then, which is returned, and noted in `done`. */
async function putBack(
  wish: Wish,
  before: DeployedFunction,
  done: Map<string, string>,
): Promise<Standing | null> {
  const { api, urn, settings, secrets } = wish;
  const configured = done.get('config') ?? '';
  const isSecret = compareConfig(urn, before, settings, secrets).includes('secrets');
  const body = restoreBody(urn, before, isSecret ? secrets : null);
  // The first error is the one to act on; what remains is said.
  await api.updateConfig(urn, body).catch(() => {});
  const standing = await readStanding(wish).catch(() => null);
  if (!standing?.function) {
    done.set('config', `${configured} (put back, or not: nobody answers)`);
    return standing;
  }
  if (!isRestored(body, restoreBody(urn, standing.function, null))) {
    done.set('config', `${configured} (could not be put back)`);
    return standing;
  }
  done.delete('config');
  if (isSecret) done.set('secrets', 'secrets (nobody can read the old ones to put them back)');
  const added = listAdded(before, standing.function);
  if (added.length > 0) {
    done.set('added', `${added.join(', ')} (the API documents no way to take it back)`);
  }
  return standing;
}

function isRestored(wanted: object, current: object): boolean {
  const now = current as Record<string, unknown>;
  return Object.entries(wanted).every(
    ([key, value]) => JSON.stringify(value) === JSON.stringify(now[key]),
  );
}

function findTimer({ triggers }: Standing, id: string): DeployedTrigger | undefined {
  return triggers.find(({ event_data }) => id === `timer ${event_data.name}`);
}

function isGone(id: string, before: Standing, now: Standing): boolean {
  return findTimer(before, id) !== undefined && findTimer(now, id) === undefined;
}

/** A timer that was to be replaced may be gone, and its successor refused: the old one comes back, if anything does. */
async function restoreTimer(
  wish: Wish,
  before: Standing,
  standing: Standing | null,
  failed: Step,
): Promise<Standing | null> {
  const old = findTimer(before, failed.id);
  if (!old || (standing && findTimer(standing, failed.id))) return standing;
  // If it is there after all, the service refuses a second one of its name.
  await wish.api.createTrigger(wish.urn, restoreTriggerBody(old)).catch(() => {});
  return readStanding(wish).catch(() => null);
}

function nameCode(
  { digest, extent }: Wish,
  before: Standing,
  standing: Standing | null,
  done: ReadonlyMap<string, string>,
): Deployment['stands'] {
  if (!standing) return 'unknown';
  if (!standing.function) return 'nothing';
  const isRead = standing.function.digest === digest && before.function?.digest !== digest;
  const isNew = done.has('create') || done.has('code') || (extent !== 'config' && isRead);
  return isNew ? 'new code' : 'old code';
}
