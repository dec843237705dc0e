// Responsible for which rules of alerts there are, and what each takes: the configuration sets them, and lib/alerts applies them.

/** Null or false: the rule is off. docs/alerts.md describes each. */
export interface AlertRules {
  snapshotFailed: boolean;
  /** From 0 to below 1. */
  unprotectedShareAbove: number | null;
  nodeGone: boolean;
  staleAfterMs: number | null;
  driftedInARow: number | null;
  onSnapshot: boolean;
}
