// Responsible for the figures of a report as SQL over a store in a folder, without code of lib/.

import type { Duck } from '../formats/readers.ts';

export interface OracleInput {
  /** The store as it is. */
  store: string;
  /** The store before its rows were pruned. */
  whole: string;
  /** Names of snapshots, inclusive. */
  since: string;
  until: string;
  untilMs: number;
  /** A slot is missed once it is over. */
  nowMs: number;
  slotSeconds: number;
}

const day = 86_400;
const seconds = (name: string) => `epoch(strptime(${name}, '%Y%m%dT%H%M%SZ'))`;
const iso = (expression: string) =>
  `strftime(to_timestamp(${expression}) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ')`;
const open = (status: string) => `${status} IS DISTINCT FROM 'opened'`;
const off = (status: string) => `${status} IS NOT DISTINCT FROM 'offline'`;

// Long because: one table after the other, each of the ones before.
export async function openOracle(duck: Pick<Duck, 'query'>, input: OracleInput) {
  const { store, whole, since, until, untilMs, nowMs, slotSeconds } = input;
  const table = (name: string, sql: string) =>
    duck.query(`CREATE OR REPLACE TEMP TABLE ${name} AS ${sql}`);
  const rows = `read_parquet('${whole}/container_nodes/**/*.parquet', hive_partitioning = false)`;
  const columns = `{snapshot: 'VARCHAR', verdict: 'VARCHAR', rows: 'BIGINT', rejects: 'BIGINT', evidence: 'JSON',
    scope: 'STRUCT(account VARCHAR, region VARCHAR, "projectId" VARCHAR)', changes: 'STRUCT("since" VARCHAR, added BIGINT, removed BIGINT, changed BIGINT)',
    unknownValues: 'JSON', unknownFields: 'VARCHAR[]'}`;
  await table(
    'stored',
    `SELECT scope.projectId AS prj, scope.account AS account, scope.region AS region, *,
      '_pruned/' || regexp_extract(filename, '(container_nodes/.*)$', 1)
        IN (SELECT regexp_extract(file, '(_pruned/.*)$', 1) FROM glob('${store}/_pruned/**/*')) AS pruned
     FROM read_json('${store}/_manifests/**/*.json', columns = ${columns}, format = 'newline_delimited', filename = true)`,
  );
  await table('snap', `SELECT * FROM stored WHERE snapshot BETWEEN '${since}' AND '${until}'`);
  await table(
    'done',
    `SELECT *, ${seconds('snapshot')} AS s, row_number() OVER w AS n, lag(snapshot) OVER w AS prev,
      lag(pruned) OVER w AS prev_pruned, count(*) OVER (PARTITION BY prj) AS last
     FROM snap WHERE verdict = 'complete' WINDOW w AS (PARTITION BY prj ORDER BY snapshot)`,
  );
  await table(
    'known',
    `SELECT prj, CASE WHEN bool_or(n = last AND pruned) THEN NULL ELSE
      max(n) FILTER (n = 1 OR (changes.since IS DISTINCT FROM prev AND prev_pruned)) END AS n
     FROM done GROUP BY prj`,
  );
  await table(
    'node',
    `SELECT r.*, d.prj, d.n, d.last, ${open('protect_status')} AS unprotected, ${off('agent_status')} AS offline
     FROM ${rows} r JOIN done d ON r.project_id = d.prj AND epoch(r.snapshot_at) = d.s`,
  );
  await table(
    'spell',
    `WITH state AS (
      SELECT node.prj, node.n, host_id, host_name, reason FROM node JOIN known k ON k.prj = node.prj,
        LATERAL (SELECT unnest(['unprotected', 'offline']) AS reason)
      WHERE node.n >= k.n AND CASE reason WHEN 'offline' THEN offline ELSE unprotected END),
     island AS (SELECT *, n - row_number() OVER (PARTITION BY prj, host_id, reason ORDER BY n) AS g FROM state)
     SELECT i.prj, host_id, reason, last(host_name ORDER BY i.n) AS host_name,
       min(a.s) AS "from", max(b.s) FILTER (b.n = i.last) AS "to"
     FROM (SELECT *, max(n) OVER (PARTITION BY prj, host_id, reason, g) + 1 AS last FROM island) i
     JOIN done a ON a.prj = i.prj AND a.n = i.n LEFT JOIN done b ON b.prj = i.prj AND b.n = i.last
     GROUP BY i.prj, host_id, reason, g`,
  );
  const untilSeconds = untilMs / 1_000;
  await table(
    'dates',
    `SELECT unnest(generate_series(DATE '${toDate(since)}', DATE '${toDate(until)}', INTERVAL 1 DAY))::DATE AS date`,
  );
  await table(
    'missed',
    `SELECT slots.prj, slots.s FROM (SELECT f.prj, s FROM (SELECT prj, min(${seconds('snapshot')}) AS first FROM stored GROUP BY prj) f,
      LATERAL (SELECT unnest(range(CAST(first / ${slotSeconds} AS BIGINT) + 1, CAST(floor(${nowMs / 1_000} / ${slotSeconds}) AS BIGINT))) * ${slotSeconds} AS s)) slots
     ANTI JOIN (SELECT prj, ${seconds('snapshot')} AS s FROM stored) there ON there.prj = slots.prj AND there.s = slots.s
     WHERE slots.s BETWEEN ${seconds(`'${since}'`)} AND ${untilSeconds}`,
  );
  return {
    knownFrom: () =>
      duck.query(`SELECT k.prj, snapshot FROM known k LEFT JOIN done USING (prj, n) ORDER BY prj`),
    /** As the lines of unprotected.csv, in its order. */
    intervals: () =>
      duck.query(
        `SELECT account, region, prj, host_id, coalesce(CASE WHEN host_name LIKE '=%' THEN '''' END, '') || coalesce(host_name, ''),
          reason, ${iso('"from"')}, coalesce(${iso('"to"')}, ''),
          round((coalesce("to", ${untilSeconds}) - "from") / ${day}, 2)
         FROM spell JOIN (SELECT DISTINCT prj, account, region FROM stored) USING (prj)
         ORDER BY prj, encode(host_id), "from", reason`,
      ),
    /** Of each target and day. */
    days: () =>
      duck.query(
        `WITH count AS (SELECT prj, strftime(date, '%Y-%m-%d') AS date,
          (SELECT count(*) FROM snap WHERE snap.prj = p.prj AND verdict = 'complete' AND to_timestamp(${seconds('snapshot')}) AT TIME ZONE 'UTC' BETWEEN date AND date + INTERVAL '86399' SECOND)::INT AS complete,
          (SELECT count(*) FROM snap WHERE snap.prj = p.prj AND verdict = 'complete' AND NOT pruned AND to_timestamp(${seconds('snapshot')}) AT TIME ZONE 'UTC' BETWEEN date AND date + INTERVAL '86399' SECOND)::INT AS kept,
          (SELECT count(*) FROM snap WHERE snap.prj = p.prj AND verdict = 'drifted' AND to_timestamp(${seconds('snapshot')}) AT TIME ZONE 'UTC' BETWEEN date AND date + INTERVAL '86399' SECOND)::INT AS drifted,
          (SELECT count(*) FROM missed WHERE missed.prj = p.prj AND to_timestamp(s) AT TIME ZONE 'UTC' BETWEEN date AND date + INTERVAL '86399' SECOND)::INT AS missed,
          (SELECT max(n) FROM done WHERE done.prj = p.prj AND to_timestamp(s) AT TIME ZONE 'UTC' BETWEEN date AND date + INTERVAL '86399' SECOND) AS n
          FROM (SELECT DISTINCT prj FROM stored) p, dates)
         SELECT c.prj, date, CASE WHEN kept > 0 THEN 'complete' WHEN complete > 0 THEN 'pruned' WHEN drifted > 0 THEN 'drifted' WHEN missed > 0 THEN 'missing' ELSE 'none' END,
           complete, drifted, missed, ${countsOf('c')}
         FROM count c ORDER BY c.prj, date`,
      ),
    totals: () =>
      duck.query(
        `WITH last AS (SELECT date, p.prj, (SELECT max(n) FROM done WHERE done.prj = p.prj AND to_timestamp(s) AT TIME ZONE 'UTC' < date + INTERVAL 1 DAY) AS n
           FROM (SELECT DISTINCT prj FROM stored) p, dates),
         full_days AS (SELECT l.*, ${countsOf('l', ['nodes', 'unprotected', 'offline'])},
           (SELECT to_timestamp(s) AT TIME ZONE 'UTC' >= date FROM done WHERE done.prj = l.prj AND done.n = l.n) AS is_current FROM last l)
         SELECT strftime(date, '%Y-%m-%d'), coalesce(sum(nodes), 0)::INT, coalesce(sum(unprotected), 0)::INT, coalesce(sum(offline), 0)::INT,
           (count(*) FILTER (is_current))::INT, (count(*) FILTER (NOT is_current))::INT, (count(*) FILTER (n IS NULL))::INT
         FROM full_days GROUP BY date ORDER BY date`,
      ),
    /** Nodes at the end that are unprotected or offline, by target and id. */
    nodes: () =>
      duck.query(
        `WITH at_end AS (SELECT node.* FROM node JOIN known k USING (prj) WHERE node.n = node.last AND k.n IS NOT NULL),
         started AS (SELECT prj, host_id, reason, "from" FROM spell WHERE "to" IS NULL)
         SELECT e.prj, host_id, host_name, protect_status, agent_status,
           CASE WHEN unprotected THEN ${iso(`least(epoch(protect_status_since), (SELECT "from" FROM started s WHERE s.prj = e.prj AND s.host_id = e.host_id AND reason = 'unprotected'))`)} END,
           CASE WHEN offline THEN ${iso(`least(epoch(agent_status_since), (SELECT "from" FROM started s WHERE s.prj = e.prj AND s.host_id = e.host_id AND reason = 'offline'))`)} END
         FROM at_end e WHERE unprotected OR offline ORDER BY e.prj, encode(host_id)`,
      ),
    /** Of the nodes at the end: container nodes, other hosts, not stated. First of all, then of the unprotected ones. */
    hostKinds: () =>
      duck.query(
        `SELECT ${countKinds('true')} FROM node WHERE n = last
         UNION ALL SELECT ${countKinds('unprotected')} FROM node JOIN known k USING (prj) WHERE node.n = node.last AND k.n IS NOT NULL`,
      ),
    /** From the rows of both snapshots of each comparison. */
    changes: () =>
      duck.query(
        `WITH pair AS (SELECT prj, snapshot, ${seconds('snapshot')} AS s, ${seconds('changes.since')} AS before FROM snap WHERE changes IS NOT NULL),
         old AS (SELECT p.prj, p.s, r.host_id, protect_status, agent_status FROM pair p JOIN ${rows} r ON r.project_id = p.prj AND epoch(r.snapshot_at) = p.before),
         new AS (SELECT p.prj, p.s, r.host_id, protect_status, agent_status FROM pair p JOIN ${rows} r ON r.project_id = p.prj AND epoch(r.snapshot_at) = p.s),
         both_of AS (SELECT ${open('o.protect_status')} AS o1, ${open('n.protect_status')} AS n1, ${off('o.agent_status')} AS o2, ${off('n.agent_status')} AS n2,
           o.host_id AS oid, n.host_id AS nid FROM old o FULL JOIN new n USING (prj, s, host_id))
         SELECT (count(*) FILTER (oid IS NULL))::INT, (count(*) FILTER (nid IS NULL))::INT, (SELECT coalesce(sum(changes.changed), 0)::INT FROM snap),
           (count(*) FILTER (oid IS NOT NULL AND nid IS NOT NULL AND n1 AND NOT o1))::INT, (count(*) FILTER (oid IS NOT NULL AND nid IS NOT NULL AND o1 AND NOT n1))::INT,
           (count(*) FILTER (oid IS NOT NULL AND nid IS NOT NULL AND n2 AND NOT o2))::INT, (count(*) FILTER (oid IS NOT NULL AND nid IS NOT NULL AND o2 AND NOT n2))::INT
         FROM both_of`,
      ),
    /** Rows of all changes parts: newest first for the page, oldest first for the file. */
    changeRows: (order: 'ASC' | 'DESC') =>
      duck.query(
        `SELECT project_id, ${iso('epoch(snapshot_at)')}, host_id, change FROM read_parquet('${store}/container_nodes_changes/**/*.parquet', hive_partitioning = false) r
         JOIN snap ON snap.prj = r.project_id AND ${seconds('snapshot')} = epoch(snapshot_at)
         ORDER BY snapshot_at ${order}, project_id, encode(host_id)`,
      ),
    quality: () =>
      duck.query(
        `SELECT count(*)::INT, sum(rejects)::INT, sum((evidence->>'repeats')::INT)::INT, sum((evidence->>'requests')::INT)::INT,
          coalesce(sum((unknownValues->'protect_status'->>'odd_value')::INT), 0)::INT, list_sort(list_distinct(flatten(list(unknownFields)))) FROM snap`,
      ),
  };
}

function countKinds(filter: string): string {
  return ['', 'NOT ']
    .map((not) => `count(*) FILTER (${filter} AND ${not}is_container_node)::INT`)
    .concat(`count(*) FILTER (${filter} AND is_container_node IS NULL)::INT`)
    .join(', ');
}

function toDate(name: string): string {
  return `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6, 8)}`;
}

/** The counts of the rows of a snapshot; null: there is none. `alias`: a row with the columns `prj` and `n`. */
function countsOf(alias: string, names: readonly string[] = []): string {
  const count = (filter: string, index: number) =>
    `CASE WHEN ${alias}.n IS NOT NULL THEN (SELECT count(*) FROM node WHERE node.prj = ${alias}.prj AND node.n = ${alias}.n${filter})::INT END${names[index] ? ` AS ${names[index]}` : ''}`;
  return ['', ' AND unprotected', ' AND offline'].map(count).join(', ');
}
