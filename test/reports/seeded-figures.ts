// Responsible for figures of a report that look real, from a seed: nodes come and go, agents fail, protection is lost, days are
// drifted, missing or pruned.

import type {
  DayOfTarget,
  DayState,
  NodeAtEnd,
  ReportFigures,
  ShownChange,
  TargetFigures,
  TotalOfDay,
} from '../../lib/reports/figures.ts';
import { changesShownMax, nodesShownMax } from '../../lib/reports/figures.ts';
import { timeOfName } from '../../lib/reports/report-times.ts';
import type { ProtectionCounts } from '../../lib/snapshots/protection.ts';

export interface SeededOptions {
  seed?: number;
  days?: number;
  accounts?: readonly string[];
  regions?: readonly string[];
  nodesPerTarget?: number;
  /** Days of the first target that are not proven, counted from 0. */
  drifted?: readonly number[];
  missing?: readonly number[];
  /** Listed hosts that are not container nodes. */
  otherHosts?: number;
  /** The first days are pruned, for all targets. */
  pruned?: number;
  integrity?: Partial<ReportFigures['integrity']>;
}

/** Mulberry32: numbers from 0 to below 1. */
function openRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const dayMs = 86_400_000;
/** The last day of the period; fixed, so that the figures depend on the seed alone. */
const lastDayMs = Date.parse('2026-11-25T00:00:00Z');

const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const snapshotOf = (date: string) => `${date.replaceAll('-', '')}T180000Z`;

/** Figures that fit together: totals are the sums of the targets. */
export function makeFigures(options: SeededOptions = {}): ReportFigures {
  const {
    seed = 1,
    days = 30,
    accounts = ['prod', 'staging'],
    regions = ['cn-north-4', 'cn-south-4'],
  } = options;
  const random = openRandom(seed);
  const dates = Array.from({ length: days }, (_, index) =>
    dateOf(lastDayMs - (days - 1 - index) * dayMs),
  );
  const targets = accounts.flatMap((account) =>
    regions.map((region) => makeTarget({ account, region, dates, random, options })),
  );
  const [first] = targets;
  for (const [index, state] of listStates(options)) {
    const day = first?.days[index];
    if (!day) continue;
    Object.assign(day, unprovenDay(day.date, state));
    first.snapshots.complete -= 4;
    first.snapshots[state === 'missing' ? 'missed' : 'drifted'] += 4;
    if (state !== 'missing') continue;
    const slot = (hour: string) => `${day.date.replaceAll('-', '')}T${hour}0000Z`;
    first.gaps.push({ from: slot('00'), to: slot('18'), slots: 4 });
  }
  const counts = targets.map(({ newestComplete }) => newestComplete);
  const sumOf = (name: keyof ProtectionCounts) =>
    counts.reduce((sum, one) => sum + (one?.[name] ?? 0), 0);
  const total = sumOf('unprotected') + sumOf('offline');
  const { otherHosts = 0 } = options;
  const countKinds = (hosts: number) => {
    const others = Math.min(otherHosts, hosts);
    return { containerNodes: hosts - others, otherHosts: others, notStated: 0 };
  };
  const shown = makeNodes(Math.min(total, nodesShownMax), targets, random);
  const changes = { added: 143, removed: 96, changed: 512 };
  const until = `${dates.at(-1)}T18:30:00Z`;
  return {
    reportVersion: 1,
    writer: 'cgs-export/0.2.0',
    madeAt: until,
    store: 'obs://security-inventory/cgs',
    period: { since: `${dates[0]}T00:00:00Z`, until },
    targets,
    days: sumDays(dates, targets, random),
    nodes: {
      total,
      unprotected: sumOf('unprotected'),
      offline: sumOf('offline'),
      shown,
    },
    hostKinds: {
      all: countKinds(sumOf('nodes')),
      unprotected: countKinds(sumOf('unprotected')),
    },
    changes: {
      ...changes,
      unprotected: 61,
      protected: 48,
      offline: 203,
      notOffline: 190,
      shown: makeChanges(changesShownMax, dates, targets, random),
    },
    quality: {
      snapshots: targets.length * days,
      rejects: 2,
      repeats: 3,
      unknownValues: { agent_status: { install_failed_v9: 12 } },
      unknownFields: ['cluster_arch', 'os_bits'],
      mistyped: { asset: 4 },
      requests: 5_184,
      retries: 17,
      throttled: 3,
    },
    integrity: { ...makeIntegrity(targets), ...options.integrity },
    files: ['unprotected.csv', 'changes.csv', 'snapshots.csv'].map((name, index) => ({
      name,
      rows: [total + 264, 751, targets.length * days][index] ?? 0,
      bytes: [88_213, 174_902, 30_518][index] ?? 0,
      sha256: hex(random, 64),
    })),
  };
}

function listStates({ drifted = [], missing = [] }: SeededOptions): [number, DayState][] {
  return [
    ...drifted.map((index): [number, DayState] => [index, 'drifted']),
    ...missing.map((index): [number, DayState] => [index, 'missing']),
  ];
}

function unprovenDay(date: string, state: DayState): DayOfTarget {
  const isDrifted = state === 'drifted';
  return {
    date,
    state,
    complete: 0,
    drifted: isDrifted ? 4 : 0,
    missed: isDrifted ? 0 : 4,
    counts: null,
  };
}

function hex(random: () => number, length: number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('');
}

interface TargetSeed {
  account: string;
  region: string;
  dates: readonly string[];
  random: () => number;
  options: SeededOptions;
}

function makeTarget({ account, region, dates, random, options }: TargetSeed): TargetFigures {
  const { nodesPerTarget = 1_080, pruned = 0 } = options;
  let nodes = Math.round(nodesPerTarget * (0.9 + random() * 0.2));
  let unprotected = Math.round(nodes * 0.02);
  let offline = Math.round(nodes * 0.03);
  const projectId = hex(random, 32);
  const days = dates.map((date, index): DayOfTarget => {
    nodes = Math.max(0, nodes + Math.round((random() - 0.45) * 12));
    unprotected = Math.max(0, Math.min(nodes, unprotected + Math.round((random() - 0.52) * 6)));
    offline = Math.max(0, Math.min(nodes, offline + Math.round((random() - 0.5) * 9)));
    const state = index < pruned ? 'pruned' : 'complete';
    return {
      date,
      state,
      complete: 4,
      drifted: 0,
      missed: 0,
      counts: { nodes, unprotected, offline },
    };
  });
  const newest = snapshotOf(dates.at(-1) ?? '2026-11-25');
  const key = `_manifests/container_nodes/rgn=${region}/prj=${projectId}/${newest}.json`;
  const snapshot = {
    snapshot: newest,
    startedAt: timeOfName(newest),
    sealedAt: timeOfName(newest),
    verdict: 'complete' as const,
    rows: nodes,
    manifest: key,
    manifestSha256: hex(random, 64),
    keyId: 'dc7c7a19878b8d7a',
  };
  return {
    account,
    table: 'container_nodes',
    region,
    projectId,
    newest: snapshot,
    newestComplete: { ...snapshot, nodes, unprotected, offline },
    knownFrom: snapshotOf(dates[0] ?? '2026-11-25'),
    snapshots: { complete: dates.length * 4, drifted: 0, missed: 0, pruned: pruned * 4 },
    days,
    gaps: [],
  };
}

function sumDays(
  dates: readonly string[],
  targets: readonly TargetFigures[],
  random: () => number,
): TotalOfDay[] {
  const newest = new Map<TargetFigures, ProtectionCounts>();
  return dates.map((date, index) => {
    let [current, carried] = [0, 0];
    const sum = { nodes: 0, unprotected: 0, offline: 0 };
    for (const target of targets) {
      const own = target.days[index]?.counts ?? null;
      if (own) newest.set(target, own);
      const counts = newest.get(target);
      if (!counts) continue;
      if (own) current++;
      else carried++;
      sum.nodes += counts.nodes;
      sum.unprotected += counts.unprotected;
      sum.offline += counts.offline;
    }
    const few = () => Math.floor(random() * 8);
    return {
      date,
      ...sum,
      current,
      carried,
      unknown: targets.length - current - carried,
      added: few(),
      removed: few(),
      changed: few() * 4,
    };
  });
}

function pick<Value>(values: readonly Value[], random: () => number): Value {
  const found = values[Math.floor(random() * values.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

const clusters = ['web', 'pay', 'api', 'batch', 'search', 'ml', 'edge'];

function makeName(random: () => number): string {
  return `${pick(clusters, random)}-pool-${Math.floor(random() * 9) + 1}-${hex(random, 5)}`;
}

function makeNodes(
  count: number,
  targets: readonly TargetFigures[],
  random: () => number,
): NodeAtEnd[] {
  const rows = Array.from({ length: count }, (): NodeAtEnd => {
    const { account, table, region, projectId } = pick(targets, random);
    const kind = random();
    const days = Math.round((random() * random() * 30 + 0.25) * 4) / 4;
    const since = {
      since: new Date(lastDayMs - days * dayMs).toISOString().slice(0, 19).concat('Z'),
      days,
      onOrBefore: days > 25,
    };
    return {
      account,
      table,
      region,
      projectId,
      hostId: hex(random, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      hostName: random() < 0.02 ? null : makeName(random),
      protectStatus: kind < 0.5 ? pick(['closed', 'closed', 'closed', null], random) : 'opened',
      agentStatus: kind > 0.4 ? 'offline' : 'online',
      unprotected: kind < 0.5 ? since : null,
      offline:
        kind > 0.4
          ? random() < 0.03
            ? { since: null, days: null, onOrBefore: false }
            : since
          : null,
    };
  });
  const longest = ({ unprotected, offline }: NodeAtEnd) =>
    Math.max(unprotected?.days ?? 0, offline?.days ?? 0);
  return rows.sort((a, b) => longest(b) - longest(a));
}

function makeChanges(
  count: number,
  dates: readonly string[],
  targets: readonly TargetFigures[],
  random: () => number,
): ShownChange[] {
  return Array.from({ length: count }, (_, index): ShownChange => {
    const { account, table, region, projectId } = pick(targets, random);
    const change = pick(['added', 'removed', 'changed', 'changed', 'changed'] as const, random);
    const isOffline = random() < 0.6;
    return {
      account,
      table,
      region,
      projectId,
      snapshotAt: `${dates[Math.floor((index * dates.length) / count)]}T06:00:00Z`,
      hostId: hex(random, 32),
      hostName: makeName(random),
      change,
      columns: change === 'changed' ? [isOffline ? 'agent_status' : 'protect_status'] : [],
      protectStatus: makePair(change, isOffline ? ['opened', 'opened'] : ['opened', 'closed']),
      agentStatus: makePair(change, isOffline ? ['online', 'offline'] : ['online', 'online']),
    };
  });
}

function makePair(
  change: ShownChange['change'],
  [before, after]: [string, string],
): [string | null, string | null] {
  if (change === 'added') return [null, after];
  return change === 'removed' ? [before, null] : [before, after];
}

function makeIntegrity(targets: readonly TargetFigures[]): ReportFigures['integrity'] {
  const manifests = targets.length * 120;
  return {
    status: 'verified',
    proven: `every part has the bytes that its manifest names, its rows are those that the manifest states, and every manifest has the hash that the next one names. A given key signed the newest manifest of every target and all its predecessors back to the first one that it signed (${manifests} of ${manifests}): only the holder of the private key can rewrite them.`,
    notProven:
      'without a pin, it cannot be excluded that the newest snapshots, or all of a target, were deleted together with their pointers.',
    statements: {
      proven: [
        { code: 'bytesMatch', parameters: [] },
        { code: 'rowsMatch', parameters: [] },
        { code: 'chainMatches', parameters: [] },
        { code: 'givenKeySigned', parameters: [manifests, manifests] },
      ],
      notProven: [
        { code: 'newestDeletable', parameters: [] },
        { code: 'signerNotBound', parameters: [] },
      ],
    },
    manifests,
    parts: manifests * 3,
    bytes: 1_284_402_118,
    notHashed: { parts: 0, since: null },
    notReached: [],
    signatures: { valid: manifests, unsigned: 0, keysFrom: 'given', keyIds: ['dc7c7a19878b8d7a'] },
    pinned: null,
    pruned: 0,
    faults: { total: 0, shown: [] },
    unchecked: { total: 0, shown: [] },
  };
}

/** As large as figures can be: names of any length and content, every day of every target, faults. Not from a seed. */
export function hugeFigures({
  targets,
  days,
  name = 'n'.repeat(128),
  faults = 0,
}: {
  targets: number;
  days: number;
  name?: string;
  faults?: number;
}): ReportFigures {
  const usual = makeFigures({ days, nodesPerTarget: 20_000 });
  const [target] = usual.targets;
  const [node] = usual.nodes.shown;
  const [change] = usual.changes.shown;
  if (!target || !node || !change) throw new Error('the usual figures are empty');
  const wholeName = { account: name, region: name, table: name };
  const findings = Array.from({ length: faults }, () => ({ key: name, message: name, hint: name }));
  const counts = Object.fromEntries(
    Array.from({ length: Math.max(1, faults) }, (_, index) => [`${name}${index}`, index]),
  );
  return {
    ...usual,
    targets: Array.from({ length: targets }, (_, index) => ({
      ...target,
      ...wholeName,
      projectId: `${index}`,
      days: target.days.map((day, number) => ({
        ...day,
        state: number % 2 === 0 ? 'drifted' : 'missing',
      })),
      gaps: target.days.map(({ date }) => ({
        from: snapshotOf(date),
        to: snapshotOf(date),
        slots: 4,
      })),
    })),
    nodes: {
      ...usual.nodes,
      shown: Array.from({ length: nodesShownMax }, () => ({
        ...node,
        ...wholeName,
        hostName: name,
      })),
    },
    changes: {
      ...usual.changes,
      shown: Array.from({ length: changesShownMax }, () => ({
        ...change,
        ...wholeName,
        hostName: name,
        columns: Array.from({ length: 30 }, () => name.slice(0, 20)),
      })),
    },
    quality: {
      ...usual.quality,
      unknownFields: Object.keys(counts),
      mistyped: counts,
      unknownValues: { agent_status: counts, [name]: counts },
    },
    integrity: {
      ...usual.integrity,
      notReached: Object.keys(counts),
      faults: { total: faults, shown: findings },
      unchecked: { total: faults, shown: findings },
    },
  };
}
