// Responsible for checking the service: keys, projects, permissions, and what the lists contain. Each request is counted in
// the quota ledger, is sent once, and no key is used again after it was refused.

import { describeWait } from '../core/duration.ts';
import { refusesKey } from '../core/error-policy.ts';
import { AuthError, ExportError } from '../core/errors.ts';
import { targetId } from '../core/object-keys.ts';
import type { RequestGate } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { unlimitedBudget } from '../quota/budget.ts';
import type { Ledger } from '../quota/ledger.ts';
import { openLedgers } from '../quota/ledgers.ts';
import type { Quota } from '../quota/window.ts';
import { requestsFor, spanMs } from '../runs/cost.ts';
import { type Check, type CheckName, failed, ok, type Subject, skipped } from './check-result.ts';
import type { Connection } from './connect.ts';
import { judgeContainerNode, judgeCount, judgeTotal } from './judgement.ts';
import { openProbeLedger, type ProbeOptions, readSize } from './probe.ts';
import type { ServiceTarget } from './target.ts';

export interface ServiceCheckOptions extends ProbeOptions {
  /** Why no request to a target may be sent; null: it may. Known from earlier checks. */
  blockedBy: (target: ServiceTarget) => string | null;
  /** False: requests cannot be counted, so that none is sent to the lists. */
  canCount: boolean;
}

/** What is learned about one target. */
interface Examined {
  target: ServiceTarget;
  /** Null: not known. */
  projectId: string | null;
  total: number | null;
  checks: Check[];
}

/** What the service or IAM says about a key. */
type KeyState = { kind: 'accepted' } | { kind: 'refused'; error: ExportError };

/** The most requests that `checkService` sends to the service within the quota. */
export function countRequests(targets: readonly ServiceTarget[]): number {
  return targets.reduce((sum, target) => sum + 1 + variantsOf(target) + countsOf(target), 0);
}

function variantsOf({ config, dataset }: ServiceTarget): number {
  if (dataset !== containerNodes || config.api !== 'hss') return 0;
  return config.filters.containerNode === undefined ? 2 : 0;
}

function countsOf({ config, countRecords }: ServiceTarget): number {
  return countRecords !== null && Object.keys(config.filters).length === 0 ? 1 : 0;
}

/** Ends early when the signal aborts: the checks are then those until there. */
export async function checkService(
  connection: Connection,
  options: ServiceCheckOptions,
): Promise<Check[]> {
  const { targets, quota } = connection;
  // A wait for others is bounded: two windows, and what a killed process may still hold.
  const waitMsMax = 2 * quota.windowMs + 60_000;
  const ledgers = openLedgers((list) => openProbeLedger(connection, options, { list, waitMsMax }));
  const left = countRequests(targets);
  const answers = { keys: new Map(), projects: new Map() };
  const context: Context = { ledgers, quota, options, left, ...answers };
  const examined = targets.map((target): Examined => {
    return { target, projectId: target.projectId, total: null, checks: [] };
  });
  try {
    // First what an export needs. The rest is asked even if the quota makes it wait.
    for (const one of examined) await examine(context, one);
    for (const one of examined) await compareTotals(context, one);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
  const checks = [...describeKeys(targets, context.keys), ...examined.flatMap((one) => one.checks)];
  try {
    await ledgers.release();
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    checks.push(failed({ check: 'doctor' }, error));
  }
  return checks;
}

interface Context {
  quota: Quota;
  ledgers: ReturnType<typeof openLedgers<Ledger>>;
  options: ServiceCheckOptions;
  /** How many requests may still follow. */
  left: number;
  /** By Target.user, because accounts can share a key. Absent: there is no answer yet. */
  keys: Map<string, KeyState>;
  /** IAM's answers by Target.projectQuestion. */
  projects: Map<string, string>;
}

/** The project, and whether its list can be read. */
async function examine(context: Context, examined: Examined): Promise<void> {
  const { keys, options } = context;
  const { target, checks } = examined;
  const skip = (message: string) =>
    void checks.push(skipped(subjectOf(examined, 'permission'), message));
  const isRefused = () => keys.get(target.user)?.kind === 'refused';
  const reason = options.blockedBy(target);
  if (reason !== null) return skip(reason);
  if (isRefused()) return skip(refusedKeyText);
  const projectId = target.projectId ?? (await findProject(context, examined));
  if (isRefused()) return skip(refusedKeyText);
  if (projectId === null) return skip('the project is not known');
  if (!options.canCount) return skip('the store must work first: requests are counted in it');
  try {
    const source = target.openSource(projectId);
    const total = await askOnce(context, target, (gate) => readSize(source, gate));
    if (total === 'paused') return skip(noQuotaText);
    keys.set(target.user, { kind: 'accepted' });
    examined.total = total;
    const { listed, limit } = target.dataset;
    const cost = describeCost(requestsFor(total, limit), context.quota);
    checks.push(judgeTotal(subjectOf(examined, 'permission'), { total, listed, cost }));
  } catch (error) {
    noteFailure(context, examined, 'permission', error);
  }
}

/** Doctor leaves nothing in the store that `plan` could read, so it says this itself. */
function describeCost(requests: number, quota: Quota): string {
  const ms = spanMs(requests, quota);
  const count = requests === 1 ? '1 request' : `${requests} requests`;
  return ms === 0 ? count : `${count}, which take ${describeWait(ms)} with this quota`;
}

const refusedKeyText = 'not tried: the key was refused, and five refusals lock it';
const noQuotaText = 'the quota has no free slot soon: run doctor again later';

/** Asks IAM. Null: it did not name the project. */
async function findProject(context: Context, examined: Examined): Promise<string | null> {
  const { target } = examined;
  const { keys, projects, options } = context;
  try {
    const projectId =
      projects.get(target.projectQuestion) ??
      (await target.findProjectId(unlimitedBudget(options.signal)));
    projects.set(target.projectQuestion, projectId);
    keys.set(target.user, { kind: 'accepted' });
    examined.projectId = projectId;
    examined.checks.push(ok(subjectOf(examined, 'project'), `IAM names the project ${projectId}`));
    return projectId;
  } catch (error) {
    noteFailure(context, examined, 'project', error);
    return null;
  }
}

/** Shows an error with what was tried, unless it is about the key: that is shown once, with the key. */
function noteFailure(
  context: Context,
  examined: Examined,
  check: CheckName,
  thrown: unknown,
): void {
  const error = readFailure(context, examined, thrown);
  const subject = subjectOf(examined, check);
  if (context.keys.get(examined.target.user)?.kind !== 'refused') {
    examined.checks.push(failed(subject, error));
  } else if (check === 'permission') {
    examined.checks.push(skipped(subject, 'the key was refused: see sign-in'));
  }
}

/** Remembers what an error says about the key. Throws what is not a failure of a request. */
function readFailure(
  { keys, options }: Context,
  { target }: Examined,
  error: unknown,
): ExportError {
  options.signal.throwIfAborted();
  if (!(error instanceof ExportError)) throw error;
  if (error instanceof AuthError) {
    // If the service says what the user may not do, it knows the user, so the key is right.
    keys.set(target.user, refusesKey(error) ? { kind: 'refused', error } : { kind: 'accepted' });
  }
  return error;
}

/** The totals with and without container_node, and the service's own count. No export needs them, so no error fails. */
async function compareTotals(context: Context, examined: Examined): Promise<void> {
  const { target, projectId, total: notSent } = examined;
  if (projectId === null || notSent === null) return;
  const { countRecords } = target;
  if (variantsOf(target) > 0) {
    await compare(context, examined, 'container-node', async (subject) => {
      const totalWith = (containerNode: boolean) => (gate: RequestGate) =>
        readSize(target.openFiltered(projectId, { containerNode }), gate);
      const yes = await askOnce(context, target, totalWith(true));
      const no = yes === 'paused' ? yes : await askOnce(context, target, totalWith(false));
      if (yes === 'paused' || no === 'paused') return skipped(subject, noQuotaText);
      return judgeContainerNode(subject, { notSent, yes, no });
    });
  }
  if (countRecords !== null && countsOf(target) > 0) {
    await compare(context, examined, 'statistics', async (subject) => {
      const counted = await askOnce(context, target, (gate) => countRecords(projectId, gate));
      if (counted === 'paused') return skipped(subject, noQuotaText);
      return judgeCount(subject, counted, notSent);
    });
  }
}

async function compare(
  context: Context,
  examined: Examined,
  check: CheckName,
  act: (subject: Subject) => Promise<Check>,
): Promise<void> {
  const subject = subjectOf(examined, check);
  if (context.keys.get(examined.target.user)?.kind === 'refused') {
    examined.checks.push(skipped(subject, refusedKeyText));
    return;
  }
  try {
    examined.checks.push(await act(subject));
  } catch (thrown) {
    const { message } = readFailure(context, examined, thrown);
    examined.checks.push(skipped(subject, `not known: ${message}`));
  }
}

/** One request, without a retry: the quota is scarce, and a person waits. Throws its error. */
async function askOnce(
  context: Context,
  { user, dataset }: ServiceTarget,
  send: (gate: RequestGate) => Promise<number | 'paused'>,
): Promise<number | 'paused'> {
  const { ledgers, options } = context;
  const ledger = ledgers.of(dataset.name);
  let isAdmitted = false;
  let error: ExportError | null = null;
  const result = await send({
    async admit() {
      if (isAdmitted) return false;
      isAdmitted = await ledger.admit(user, Math.max(1, context.left));
      return isAdmitted;
    },
    async sent(outcome) {
      context.left -= 1;
      error = outcome.error;
      await ledger.sent(user, outcome);
    },
    mayWait: () => false,
    timeLeftMs: () => Number.POSITIVE_INFINITY,
    signal: options.signal,
  });
  if (error !== null) throw error;
  return result;
}

/** One check per account. */
function describeKeys(
  targets: readonly ServiceTarget[],
  keys: ReadonlyMap<string, KeyState>,
): Check[] {
  const accounts = new Map(targets.map((target) => [target.account, target]));
  return [...accounts].map(([account, { user, signsIn }]) => {
    const subject: Subject = { check: 'sign-in', account };
    const state = keys.get(user);
    if (state === undefined) return skipped(subject, 'no answer: see the checks of its targets');
    if (state.kind === 'refused') return failed(subject, state.error);
    return ok(subject, signsIn ? 'the user can sign in' : 'the key is accepted');
  });
}

/** `projectId` null: not known. */
function subjectOf(
  { target, projectId }: Omit<Examined, 'checks' | 'total'>,
  check: CheckName,
): Subject {
  const { account, table, region } = target;
  const id = projectId === null ? `${table}/rgn=${region}` : targetId({ table, region, projectId });
  return { check, target: id, account };
}
