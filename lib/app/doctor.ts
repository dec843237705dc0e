// Responsible for the checks of `doctor` in their order, and for skipping checks because of earlier findings.
// Not responsible for the checks of the configuration's text (config/) or for printing (cli/doctor.ts).

import type { Config } from '../config/model.ts';
import { ExportError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { addressOf } from '../store/obs-client.ts';
import { type Check, type CheckName, failed, ok, type Subject } from './check-result.ts';
import type { Connection } from './connect.ts';
import {
  judgeClock,
  judgeEnterpriseProject,
  judgeRegion,
  judgeRoute,
  skewMsMax,
} from './judgement.ts';
import type { ProbeOptions } from './probe.ts';
import { checkSchedule } from './schedule-check.ts';
import { checkScratch } from './scratch-check.ts';
import { checkService } from './service-check.ts';
import { checkSigningKey } from './signing-check.ts';
import { canCount, checkStore } from './store-check.ts';
import type { ServiceTarget } from './target.ts';

/** Checks everything that is connected. Ends early when the signal aborts: the last check then says so. */
export async function examineConnection(
  connection: Connection,
  config: Config,
  options: ProbeOptions,
): Promise<Check[]> {
  const { store, scratch, targets } = connection;
  const { store: storeConfig, proxy } = config;
  const { signal } = options;
  const checks: Check[] = [];
  try {
    checks.push(...targets.flatMap(checkSettings));
    const hosts = new Map(targets.flatMap(addressesOf).map((one) => [one.address, one]));
    const bucket = storeConfig.kind === 'obs' ? [addressOf(storeConfig)] : [];
    for (const address of new Set([...hosts.keys(), ...bucket])) {
      checks.push(judgeRoute({ check: 'proxy' }, address, proxy));
    }
    const checked = await Promise.all(
      [...hosts.values()].map((host) => checkHost(connection, host, signal)),
    );
    checks.push(...checked.flatMap((host) => host.checks));
    const faults = new Map(checked.map(({ address, fault }) => [address, fault]));
    const folder =
      storeConfig.kind === 'file'
        ? { root: storeConfig.root, fileMode: storeConfig.fileMode, umask: process.umask() }
        : null;
    const ofStore = await checkStore(store, { clock: systemClock, random: Math.random, folder });
    const ofKey = await checkSigningKey(store, config);
    const ofScratch = await checkScratch(scratch);
    checks.push(...ofStore, ...ofKey, ofScratch, ...(await checkSchedule(store, targets)));
    const ofService = await checkService(connection, {
      ...options,
      canCount: canCount(ofStore),
      blockedBy: (target) => findFault(target, faults),
    });
    checks.push(...ofService);
    signal.throwIfAborted();
  } catch (caught) {
    const error: unknown = signal.aborted ? signal.reason : caught;
    if (!(error instanceof ExportError)) throw error;
    checks.push(failed({ check: 'doctor' }, error));
  }
  return checks;
}

/** What can be told without a request. */
function checkSettings({ config, account }: ServiceTarget): Check[] {
  const { table, region, projectId } = config;
  const target = `${table}/rgn=${region}${projectId === null ? '' : `/prj=${projectId}`}`;
  const about = (check: CheckName): Subject => ({ check, target, account });
  return [
    judgeRegion(about('region'), config),
    judgeEnterpriseProject(about('enterprise-project'), config),
  ];
}

interface Address {
  address: string;
  /** What names it, for hints. */
  settings: string;
}

/** Where an export of the target sends requests: IAM only to sign in or to find the project. */
function addressesOf({ config, signsIn, projectId }: ServiceTarget): Address[] {
  const { endpoint, iamEndpoint } = config;
  const service = { address: endpoint, settings: "the target's endpoint and region" };
  const iam = { address: iamEndpoint, settings: "the target's iamEndpoint and region" };
  return signsIn || projectId === null ? [service, iam] : [service];
}

/** What keeps requests away from a host. `clock`: only those that are signed with a key. */
interface HostFault {
  kind: 'unreachable' | 'clock';
  text: string;
}

interface CheckedHost {
  address: string;
  checks: Check[];
  fault: HostFault | null;
}

async function checkHost(
  connection: Connection,
  { address, settings }: Address,
  signal: AbortSignal,
): Promise<CheckedHost> {
  const { host } = new URL(address);
  const subject: Subject = { check: 'connection' };
  try {
    const { aheadMs } = await connection.reach(address, settings, signal);
    const clock = judgeClock({ check: 'clock' }, { aheadMs, name: host, isLimited: true });
    const isRefused = aheadMs !== null && Math.abs(aheadMs) > skewMsMax;
    const fault = isRefused
      ? { kind: 'clock' as const, text: 'not tried: a signed request needs the right time' }
      : null;
    return { address, checks: [ok(subject, `${host} answers`), clock], fault };
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    const text = `not tried: ${host} cannot be reached`;
    return { address, checks: [failed(subject, error)], fault: { kind: 'unreachable', text } };
  }
}

/** Why no request of the target can succeed; null: none is known. */
function findFault(
  target: ServiceTarget,
  faults: ReadonlyMap<string, HostFault | null>,
): string | null {
  for (const { address } of addressesOf(target)) {
    const fault = faults.get(address);
    if (!fault || (fault.kind === 'clock' && target.signsIn)) continue;
    const isAskedForProject = address !== target.config.endpoint && !target.signsIn;
    return isAskedForProject ? `${fault.text}; set projectId, and it is not needed` : fault.text;
  }
  return null;
}
