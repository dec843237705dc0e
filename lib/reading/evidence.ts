// Responsible for the shapes of a run's scope and of its reading evidence, which the checkpoint and the manifest share.

import * as v from 'valibot';

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** What a run reads. Fixed when the run starts. */
export const scopeShape = v.object({
  account: v.string(),
  region: v.string(),
  projectId: v.string(),
  endpoint: v.string(),
  enterpriseProjectId: v.nullable(v.string()),
  filters: v.record(v.string(), v.string()),
});

/**
 * How the list was read. `pages`: pages stored, over all passes · `requests`: requests sent, failed ones included ·
 * `retries`: requests that failed · `throttled`: requests answered with 429 · `realigned`: pages that did not start
 * with the anchor · `repeats`: records met again, anchors not counted · `passes`: passes over the list ·
 * `totalNumFirst`, `totalNumLast`: the total that the first and the last page stated.
 */
export const evidenceShape = v.object({
  pages: count,
  requests: count,
  retries: count,
  throttled: count,
  realigned: count,
  repeats: count,
  passes: count,
  totalNumFirst: count,
  totalNumLast: count,
});

export type Scope = v.InferOutput<typeof scopeShape>;
export type Evidence = v.InferOutput<typeof evidenceShape>;
