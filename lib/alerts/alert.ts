// Responsible for what an alert is, and for its id. Pure. Not responsible for when one is due (due-alerts.ts).

import { sha256 } from '../core/state.ts';

export type Rule =
  | 'snapshotFailed'
  | 'unprotectedShareAbove'
  | 'nodeGone'
  | 'staleAfter'
  | 'driftedInARow'
  | 'onSnapshot';

/** `projectId` null: IAM has not been asked yet. */
export interface AlertTarget {
  account: string;
  table: string;
  region: string;
  projectId: string | null;
}

/** What receivers get, with the time of the delivery. docs/alerts.md describes each member. */
export interface Alert {
  alertVersion: 1;
  /** The same each time that the same change of state is delivered. */
  id: string;
  /** `test`: of the command `alerts test`. */
  rule: Rule | 'test';
  /** `firing` lasts until `resolved`; an `event` is neither. */
  state: 'firing' | 'resolved' | 'event';
  /** Null only for a test. */
  target: AlertTarget | null;
  /** The name of the snapshot that it is about; null: it is about none. */
  snapshot: string | null;
  /** When the exporter noticed it, ISO 8601 UTC, by the store's clock. */
  noticedAt: string;
  message: string;
  /** Figures and names, by rule. */
  values: Readonly<Record<string, unknown>>;
  /** What to do. */
  hint: string;
}

/** What makes a change of state different from every other one. `store`: its address, because two stores can have equal targets. */
export interface Change {
  store: string;
  /** Of the target in the state: it is the same before and after IAM is asked for the project. */
  watchedId: string;
  rule: Rule;
  state: Alert['state'];
  /** Differs between changes of the same rule and state of a target. */
  episode: string;
}

/** 32 hex digits. */
export function alertId({ store, watchedId, rule, state, episode }: Change): string {
  return sha256(JSON.stringify([store, watchedId, rule, state, episode])).slice(0, 32);
}

/** For messages: `container_nodes in cn-south-4 (account prod, project 0f1e…)`. */
export function describeTarget({ account, table, region, projectId }: AlertTarget): string {
  const project = projectId === null ? '' : `, project ${projectId}`;
  return `${table} in ${region} (account ${account}${project})`;
}
