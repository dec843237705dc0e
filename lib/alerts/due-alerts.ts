// Responsible for when an alert is due: from the failures of a target, its new snapshots, and what was seen before. Pure.
// Not responsible for reading snapshots (watch.ts), or for delivering alerts.

import type { AlertRules } from '../core/alert-rules.ts';
import { describeDuration } from '../core/duration.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Sealed } from '../snapshots/manifest.ts';
import { findProtection } from '../snapshots/protection.ts';
import { type Alert, type AlertTarget, alertId, describeTarget, type Rule } from './alert.ts';

/** Rules that fire and resolve. The others are events. */
type StateRule = Exclude<Rule, 'nodeGone' | 'onSnapshot'>;

/** What the rules know of one target. */
export interface Seen {
  /** The newest snapshot that they have judged; null: the target had none. Absent: its snapshots were not looked at yet. */
  snapshot?: string | null;
  /** Drifted snapshots in a row, up to that one. */
  drifted: number;
  /** The rules that fire now. The value is what its id was made of, for the id of its end. */
  firing: { [rule in StateRule]?: string };
}

/** Why a target is not exported as it should be. Times are ISO 8601 UTC. */
export interface Trouble {
  /** `held`: a timer does not try it before `heldUntil`. `abandoned`: its run was given up. */
  kind: 'failed' | 'held' | 'abandoned';
  /** Of the newest error; null: it is not known. */
  code: string | null;
  message: string;
  hint: string;
  since: string | null;
  heldUntil: string | null;
}

/** Nodes that the complete snapshot before had and the new one has not. */
export interface GoneNodes {
  count: number;
  /** At most 100 of them, by id. Null: they could not be read. */
  nodes: readonly { hostId: string; hostName: string | null }[] | null;
}

export interface NewSnapshot {
  sealed: Sealed;
  /** Null: no node is gone, the rule is off, or the snapshot was not compared with another one. */
  gone: GoneNodes | null;
}

/** One target, as it is now. */
export interface Watched {
  /** Its address is part of every id. */
  store: string;
  /** Names the target in the state: the same before and after IAM is asked for its project. */
  id: string;
  target: AlertTarget;
  /** Null: its newest attempt did not fail. */
  trouble: Trouble | null;
  /** Those after `seen.snapshot`, oldest first. */
  snapshots: readonly NewSnapshot[];
  /** By the store's clock. */
  nowMs: number;
}

/** A target that nothing is known of. */
export const nothingSeen: Seen = { drifted: 0, firing: {} };

/** What the rules know now, and the alerts to send, in the order in which things happened. */
export function judge(
  rules: AlertRules,
  watched: Watched,
  before: Seen,
): { seen: Seen; alerts: Alert[] } {
  const judging: Judging = { rules, watched, seen: structuredClone(before), alerts: [] };
  // A rule that was turned off ends without an alert.
  for (const rule of Object.keys(judging.seen.firing) as StateRule[]) {
    if (!isOn(rules, rule)) delete judging.seen.firing[rule];
  }
  for (const snapshot of watched.snapshots) judgeSnapshot(judging, snapshot);
  judgeTrouble(judging);
  judgeAge(judging);
  return { seen: judging.seen, alerts: judging.alerts };
}

interface Judging {
  rules: AlertRules;
  watched: Watched;
  /** Changed in place. */
  seen: Seen;
  alerts: Alert[];
}

function isOn(rules: AlertRules, rule: Rule): boolean {
  const value = rule === 'staleAfter' ? rules.staleAfterMs : rules[rule];
  return value !== null && value !== false;
}

type Text = Pick<Alert, 'message' | 'values' | 'hint'> & { snapshot: string | null };

function add(
  { watched, alerts }: Judging,
  change: { rule: Rule; state: Alert['state']; episode: string },
  text: Text,
): void {
  const { store, id, target, nowMs } = watched;
  const { rule, state } = change;
  alerts.push({
    alertVersion: 1,
    id: alertId({ store, watchedId: id, ...change }),
    rule,
    state,
    target,
    snapshot: text.snapshot,
    noticedAt: new Date(nowMs).toISOString(),
    message: text.message,
    values: text.values,
    hint: text.hint,
  });
}

/** Nothing happens if the rule is off or fires already. */
function fire(judging: Judging, rule: StateRule, episode: string, text: Text): void {
  const { rules, seen } = judging;
  if (!isOn(rules, rule) || seen.firing[rule] !== undefined) return;
  seen.firing[rule] = episode;
  add(judging, { rule, state: 'firing', episode }, text);
}

/** Nothing happens if the rule does not fire. Its end has the episode of its start: both belong together. */
function resolve(judging: Judging, rule: StateRule, text: Text): void {
  const { firing } = judging.seen;
  const episode = firing[rule];
  if (episode === undefined) return;
  delete firing[rule];
  add(judging, { rule, state: 'resolved', episode }, text);
}

const noAction = 'Nothing to do.';

function judgeSnapshot(judging: Judging, { sealed, gone }: NewSnapshot): void {
  const { rules, watched, seen } = judging;
  const { manifest, manifestKey, manifestSha256 } = sealed;
  const { snapshot, verdict, rows } = manifest;
  const name = describeTarget(watched.target);
  seen.snapshot = snapshot;
  const sealedText: Text = {
    snapshot,
    message: `${name} is exported again: the newest snapshot is ${snapshot}.`,
    values: { verdict, rows },
    hint: noAction,
  };
  resolve(judging, 'snapshotFailed', sealedText);
  resolve(judging, 'staleAfter', sealedText);
  judgeVerdict(judging, sealed);
  if (verdict === 'complete') judgeProtection(judging, sealed);
  if (rules.nodeGone && gone !== null) addGone(judging, snapshot, gone);
  if (!rules.onSnapshot) return;
  const change = { rule: 'onSnapshot', state: 'event', episode: snapshot } as const;
  add(judging, change, {
    snapshot,
    message: `${name}: the snapshot ${snapshot} is sealed, ${verdict}, with ${rows} rows.`,
    values: { verdict, rows, manifest: manifestKey, manifestSha256 },
    hint:
      verdict === 'complete'
        ? 'Read the manifest, compare its hash, and take the parts that it names.'
        : 'It is not complete: jobs that need every node must wait for the next complete snapshot.',
  });
}

function judgeVerdict(judging: Judging, { manifest }: Sealed): void {
  const { rules, watched, seen } = judging;
  const { snapshot, verdict } = manifest;
  const name = describeTarget(watched.target);
  if (verdict === 'complete') {
    seen.drifted = 0;
    resolve(judging, 'driftedInARow', {
      snapshot,
      message: `${name}: the snapshot ${snapshot} is complete again.`,
      values: { verdict },
      hint: noAction,
    });
    return;
  }
  seen.drifted += 1;
  if (rules.driftedInARow === null || seen.drifted < rules.driftedInARow) return;
  fire(judging, 'driftedInARow', snapshot, {
    snapshot,
    message: `${name}: the newest ${seen.drifted} snapshots are drifted: the list moved while it was read, so none of them is proven complete.`,
    values: { drifted: seen.drifted, limit: rules.driftedInARow },
    hint: 'Export at a quieter time, or read the list with a higher quota: docs/operations.md, "A drifted snapshot".',
  });
}

/** Only of complete snapshots of container nodes: a drifted one can lack nodes. */
function judgeProtection(judging: Judging, { manifest }: Sealed): void {
  const { rules, watched } = judging;
  const limit = rules.unprotectedShareAbove;
  const counts = findProtection(manifest);
  if (limit === null || counts === null) return;
  const { snapshot } = manifest;
  const { nodes, unprotected } = counts;
  const share = nodes === 0 ? 0 : unprotected / nodes;
  const rounded = Math.round(share * 10_000) / 10_000;
  const name = describeTarget(watched.target);
  const counted = `${unprotected} of ${nodes} nodes are unprotected in the snapshot ${snapshot}`;
  const values = { nodes, unprotected, share: rounded, limit };
  if (share > limit) {
    fire(judging, 'unprotectedShareAbove', snapshot, {
      snapshot,
      message: `${name}: ${counted}. That is more than the share of ${limit}.`,
      values,
      hint: 'List them with `cgs-export nodes --unprotected`, and turn their protection on.',
    });
    return;
  }
  resolve(judging, 'unprotectedShareAbove', {
    snapshot,
    message: `${name}: ${counted}. That is not more than the share of ${limit}.`,
    values,
    hint: noAction,
  });
}

function addGone(judging: Judging, snapshot: string, { count, nodes }: GoneNodes): void {
  const name = describeTarget(judging.watched.target);
  const are = count === 1 ? '1 node is gone' : `${count} nodes are gone`;
  add(
    judging,
    { rule: 'nodeGone', state: 'event', episode: snapshot },
    {
      snapshot,
      message: `${name}: ${are} since the previous complete snapshot, before ${snapshot}.`,
      values: { count, nodes },
      hint: 'Check that they were removed on purpose. `cgs-export diff` lists all of them.',
    },
  );
}

/** One episode between two snapshots: until the next one is sealed, more failures change nothing. */
function judgeTrouble(judging: Judging): void {
  const { watched, seen } = judging;
  const { trouble, target } = watched;
  if (trouble === null) return;
  const { kind, code, message, since, heldUntil } = trouble;
  const what = {
    failed: 'the newest attempt to export it failed',
    held: `attempts failed, and timers do not try it again until ${heldUntil}`,
    abandoned: 'its run was given up',
  }[kind];
  const newest = seen.snapshot ?? null;
  // The time is for targets without a snapshot: a new store can have the address of an earlier one, and must get another id.
  fire(judging, 'snapshotFailed', newest ?? `none ${since ?? ''}`, {
    snapshot: newest,
    message: `${describeTarget(target)}: ${what}: ${message}`,
    values: { kind, code, since, heldUntil, newestSnapshot: newest },
    hint: trouble.hint,
  });
}

function judgeAge(judging: Judging): void {
  const { rules, watched, seen } = judging;
  const { target, nowMs } = watched;
  const newest = seen.snapshot ?? null;
  const newestMs = newest === null ? null : snapshotTimeMs(newest);
  const { staleAfterMs } = rules;
  if (staleAfterMs === null || newest === null || newestMs === null) return;
  const ageMs = nowMs - newestMs;
  if (ageMs <= staleAfterMs) return;
  fire(judging, 'staleAfter', newest, {
    snapshot: newest,
    message: `${describeTarget(target)}: the newest snapshot ${newest} is older than ${describeDuration(staleAfterMs)}.`,
    values: { ageSeconds: Math.floor(ageMs / 1_000), limitSeconds: staleAfterMs / 1_000 },
    hint: 'Run `cgs-export status --problems`: it says why there is no newer one.',
  });
}
