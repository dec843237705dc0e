// Responsible for one invocation of the function `report`: what it covers, where the report is stored, how long it may take, and which
// findings it throws.

import { mergeAlerts } from '../alerts/function-alerts.ts';
import { configFault, ExportError, StoppedError } from '../core/errors.ts';
import { reportKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import type { TargetName } from '../reports/figures.ts';
import { dateOf, dayMs } from '../reports/report-times.ts';
import type { Connection } from './connect.ts';
import { type ConfiguredTarget, isConfigured, listStoredTargets } from './covered-targets.ts';
import { count, describeFindings } from './finding-alert.ts';
import type { Invocation, InvocationTools, Outcome } from './function-instance.ts';
import { type ReportRun, runReport } from './report-run.ts';
import { noSnapshot } from './store-check.ts';
import { listErrors } from './verify-run.ts';

/** The report is about the days before the invocation. */
const periodMs = 30 * dayMs;
/** Kept for making the page and storing all files, milliseconds: no further part is hashed then. */
const reserveMs = 30_000;

type Json = ReturnType<typeof toJson>;

/** Every invocation throws what it finds: the next one may be a week later. */
export function openReportInvocation(): Invocation<Json> {
  return {
    async run(tools) {
      const { timeLeftMs } = tools;
      try {
        const connection = await tools.connect();
        return await connection.limit(timeLeftMs, () => report(connection, tools));
      } catch (error) {
        if (!(error instanceof ExportError)) throw error;
        const isLate = timeLeftMs() < reserveMs && error.code === 'STORE_FAILED';
        throw mergeAlerts([isLate ? timeTooShort() : error]);
      }
    },
  };
}

async function report(
  connection: Connection,
  { timeLeftMs, log }: InvocationTools,
): Promise<Outcome<Json>> {
  const { store, targets: configured } = connection;
  const isTimeUp = () => timeLeftMs() < reserveMs;
  const stopIfLate = () => {
    if (isTimeUp()) throw timeTooShort();
  };
  const nowMs = Math.floor(store.nowMs() / 1_000) * 1_000;
  const date = dateOf(nowMs);
  const run = await runReport(connection, {
    targets: await listTargetNames(store, configured),
    configured,
    period: { sinceMs: nowMs - periodMs, untilMs: nowMs },
    lang: 'en',
    verify: {
      tables: configured.map(({ table }) => table),
      isTimeUp,
      onProgress: stopIfLate,
    },
    onReading: stopIfLate,
    place: { store, keyOf: (name) => reportKey(date, name) },
  });
  const { notReached, notHashed } = run.figures.integrity;
  if (notReached.length > 0) {
    log('warn', 'there was not enough time to hash all parts; the report lists the others', {
      ...{ notReached: notReached.length, hashedSince: notHashed.since, hint: lateHint },
    });
  }
  const json = toJson(run, date);
  const { errors, files, ...done } = json;
  const { faults, unchecked } = run.findings;
  const head = `${store.url}: ${count(faults.length, 'fault')}, ${count(unchecked.length, 'object')} that could not be read. The report ${json.page} says so.`;
  const advice = 'Run `cgs-export verify`: it lists every finding with what to do.';
  const alert = describeFindings(errors, head, advice);
  return { json, done, alert: alert && mergeAlerts([alert]) };
}

function toJson({ findings, figures, targets, files }: ReportRun, date: string) {
  const errors = listErrors(findings);
  return {
    status: errors.length === 0 ? ('written' as const) : ('failed' as const),
    ...{ store: figures.store, period: figures.period, targets: targets.length },
    page: reportKey(date, 'report.html'),
    ...{ integrity: figures.integrity.status, errors },
    files: files.map(({ name, bytes }) => ({ key: reportKey(date, name), bytes })),
  };
}

/** As the command without options: the targets of the configuration, without filtered tables. Throws ConfigError if there is none. */
async function listTargetNames(
  store: Store,
  configured: readonly ConfiguredTarget[],
): Promise<TargetName[]> {
  const stored = await listStoredTargets(store);
  if (stored.length === 0) throw noSnapshot('store', store);
  const covered = stored.filter(
    (one) =>
      isConfigured(one, configured) && !one.isFiltered && one.dataset === containerNodes.name,
  );
  if (covered.length === 0) {
    const hint = 'Tables with filters and those of other datasets are not in this report.';
    throw configFault('accounts', 'no target with container nodes has a snapshot', hint);
  }
  return covered.map(({ account, table, region, projectId }) => {
    return { account: account ?? 'unknown', table, region, projectId };
  });
}

const lateHint =
  'Raise `timeout` of the function `report` in serverless.yml (at most 900), or give it more memory (and so more CPU). Run `cgs-export report` on a host from time to time: it hashes all parts of the period.';

function timeTooShort(): StoppedError {
  const message =
    'The time of the invocation was not enough to read the snapshots and manifests for the report. Nothing was stored.';
  return new StoppedError('TIME_TOO_SHORT', message, lateHint);
}
