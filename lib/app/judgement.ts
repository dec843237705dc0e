// Responsible for what a measurement of `doctor` means: pure functions from figures to a check. Not responsible for
// measuring, or for errors: the module that throws an error also explains it.

import type { ProxyConfig, Target as TargetConfig } from '../config/model.ts';
import { regionOf } from '../config/regional-host.ts';
import { describeDifference } from '../core/duration.ts';
import { AuthError } from '../core/errors.ts';
import { usesProxy } from '../core/network-host.ts';
import { type Check, failed, ok, type Subject, skipped, warning } from './check-result.ts';

/** The service and OBS refuse signatures of another time. Source: API Signing Guide, read 2026-11-24. */
export const skewMsMax = 15 * 60_000;
const skewMsWarned = 60_000;
const clockHint = 'Set the clock of this host, for example with NTP (timedatectl set-ntp true).';

/**
 * `aheadMs`: how far this host's clock is ahead; null: not known. `name`: the other clock. `isLimited`: the owner of that
 * clock refuses signatures of another time.
 */
export function judgeClock(
  subject: Subject,
  { aheadMs, name, isLimited }: { aheadMs: number | null; name: string; isLimited: boolean },
): Check {
  if (aheadMs === null) return skipped(subject, `${name} does not say what time it has`);
  const message = `this host's clock is ${describeSkew(aheadMs)} the clock of ${name}`;
  const skewMs = Math.abs(aheadMs);
  if (skewMs < skewMsWarned) return ok(subject, message);
  if (skewMs <= skewMsMax || !isLimited) {
    return warning(subject, message, `${clockHint} Requests are refused from 15 minutes on.`);
  }
  return failed(
    subject,
    new AuthError(
      'CLOCK_SKEW',
      `${message}: a signed request is refused from 15 minutes on`,
      clockHint,
    ),
  );
}

function describeSkew(aheadMs: number): string {
  const skewMs = Math.abs(aheadMs);
  if (skewMs < 2_000) return 'within 2 s of';
  return `${describeDifference(skewMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
}

/** Which way requests to `address` take. Shows the proxy without its user and password. */
export function judgeRoute(subject: Subject, address: string, proxy: ProxyConfig): Check {
  const { httpsProxy, noProxy } = proxy;
  const { host, protocol } = new URL(address);
  if (httpsProxy === null) return ok(subject, `${host}: directly; HTTPS_PROXY is not set`);
  const name = new URL(httpsProxy).host;
  if (usesProxy(address, noProxy)) return ok(subject, `${host}: through the proxy ${name}`);
  const reason = protocol === 'https:' ? 'NO_PROXY excludes it' : 'plain http uses no proxy';
  return ok(subject, `${host}: directly, not through ${name}: ${reason}`);
}

/** Which enterprise projects the list covers. */
export function judgeEnterpriseProject(
  subject: Subject,
  { api, enterpriseProjectId }: Pick<TargetConfig, 'api' | 'enterpriseProjectId'>,
): Check {
  if (api === 'cgs') return skipped(subject, 'the cgs API does not know enterprise projects');
  if (enterpriseProjectId === 'all_granted_eps') {
    return ok(subject, 'all enterprise projects that the identity may see are listed');
  }
  const hint =
    'Set enterpriseProjectId: all_granted_eps (the default), unless this is what you want.';
  // "0" is the default enterprise project. Source: HSS API, ListContainerNodes, read 2026-11-24.
  return enterpriseProjectId === '0' || enterpriseProjectId === null
    ? warning(subject, 'only nodes of the default enterprise project are listed', hint)
    : ok(subject, `only nodes of the enterprise project ${enterpriseProjectId} are listed`);
}

/** Whether the host of the endpoint names the region of the target. Another one is a fault of the configuration. */
export function judgeRegion(
  subject: Subject,
  { region, endpoint }: Pick<TargetConfig, 'region' | 'endpoint'>,
): Check {
  const { hostname } = new URL(endpoint);
  return regionOf(hostname) === null
    ? skipped(subject, `${hostname} does not name a region, so ${region} cannot be compared`)
    : ok(subject, `${hostname} serves the region ${region}`);
}

/**
 * The size of a list: an empty one usually means a wrong scope. `listed`: what the list has, in the plural. `cost`: what a snapshot of
 * it needs, for people.
 */
export function judgeTotal(
  subject: Subject,
  { total, listed, cost }: { total: number; listed: string; cost: string },
): Check {
  const message = `the list can be read and has ${total} ${listed}: a snapshot needs at least ${cost}`;
  if (total > 0) return ok(subject, message);
  const hint = `If there should be ${listed}, check region, projectId, enterpriseProjectId and filters.`;
  return warning(subject, message, hint);
}

/** Totals of one list: without the parameter container_node, with true, and with false. */
export interface ContainerNodeTotals {
  notSent: number;
  yes: number;
  no: number;
}

/** Whether the list without the parameter container_node leaves out nodes. */
export function judgeContainerNode(subject: Subject, totals: ContainerNodeTotals): Check {
  const { notSent, yes, no } = totals;
  const figures = `${notSent} nodes without container_node, ${yes} with true, ${no} with false`;
  const tolerance = Math.max(nearNodes, nearShare * notSent);
  const distanceTo = (total: number) => Math.abs(notSent - total);
  const readings: readonly Reading[] = [
    {
      words: 'the service makes no difference',
      distance: Math.max(distanceTo(yes), distanceTo(no)),
    },
    { words: 'without it, nothing is left out', distance: distanceTo(yes + no) },
    {
      words: 'without it, the container nodes are left out',
      distance: distanceTo(no),
      hint: 'Add a target with filters: { containerNode: true } and its own table, so that the container nodes are exported too.',
    },
    { words: 'without it, only container nodes are listed', distance: distanceTo(yes) },
  ];
  const exact = readings.find(({ distance }) => distance === 0);
  const [same, ...others] = readings as [Reading, ...Reading[]];
  const nearest = others.reduce((best, one) => (one.distance < best.distance ? one : best));
  const found = exact ?? (same.distance <= tolerance ? same : nearest);
  if (found.distance > tolerance) {
    const hint =
      'The list may have changed between the requests: run doctor again. If it persists, compare with the console.';
    return warning(subject, `${figures}: these do not add up`, hint);
  }
  const moved = found === exact ? '' : '. The list changed by a few nodes between the requests';
  const message = `${figures}: ${found.words}${moved}`;
  return found.hint === undefined ? ok(subject, message) : warning(subject, message, found.hint);
}

/** What three totals can mean. */
interface Reading {
  words: string;
  /** By how many nodes the totals miss it. */
  distance: number;
  /** Absent: nothing is to be done. */
  hint?: string;
}

/** How much a list may move between two requests, nodes and share: a larger difference is a warning. */
const nearNodes = 2;
const nearShare = 0.02;

/** `counted`: the service's own count of the nodes whose list has `total` nodes. A difference is only a note. */
export function judgeCount(subject: Subject, counted: number, total: number): Check {
  if (counted === total) return ok(subject, `the service's own count is ${counted} nodes too`);
  const message = `note: the service's own count is ${counted} nodes, and the list has ${total}`;
  return ok(subject, `${message}. The two are counted separately: this alone is not a fault`);
}

/** A part of a store in a folder. `mode`: its permission bits. `root`: the folder itself, which users often make. */
export interface OwnedPath {
  path: string;
  mode: number;
  kind: 'root' | 'folder' | 'file';
}

/** Whether other users of this host have more access than `fileMode` gives. `umask`: of this process. */
export function judgeModes(
  subject: Subject,
  paths: readonly OwnedPath[],
  { fileMode, umask }: { fileMode: number; umask: number },
): Check {
  // Who may read the files of a folder may also enter it. In the root, others may see names but change nothing.
  const folderMode = fileMode | ((fileMode & 0o444) >> 2);
  const allowedModes = { root: folderMode | 0o055, folder: folderMode, file: fileMode };
  const tooWide = paths.filter(({ mode, kind }) => (mode & 0o077 & ~allowedModes[kind]) !== 0);
  const allowed = `files may have ${toOctal(fileMode)} at most (umask ${toOctal(umask)})`;
  const [first] = tooWide;
  if (first === undefined) return ok(subject, `other users have no access; ${allowed}`);
  const more = tooWide.length === 1 ? '' : ` and ${tooWide.length - 1} more`;
  return warning(
    subject,
    `other users of this host have access to ${first.path} (${toOctal(first.mode)})${more}; ${allowed}`,
    'Remove this access with chmod -R go= on the folder of the store.',
  );
}

function toOctal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
