// Responsible for one invocation of the function `verify`: how long it may take, and which findings it throws.

import { mergeAlerts } from '../alerts/function-alerts.ts';
import { ExportError, StoppedError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { parseTime } from '../core/time-text.ts';
import type { VerifyProgress } from '../verification/stored-evidence.ts';
import type { Connection } from './connect.ts';
import { count, describeFindings } from './finding-alert.ts';
import type { Invocation, Outcome } from './function-instance.ts';
import { noSnapshot } from './store-check.ts';
import { isEmpty, listErrors, runVerification, type VerifyRun } from './verify-run.ts';

/** Kept for the pins and the result, milliseconds: no further part is hashed then. */
const reserveMs = 5_000;

type Json = VerifyRun['json'];

/** Every invocation throws what it finds: the next one may be a day later. */
export function openVerifyInvocation(): Invocation<Json> {
  return {
    async run({ connect, log, timeLeftMs }) {
      const isTimeUp = () => timeLeftMs() < reserveMs;
      try {
        const connection = await connect();
        return await connection.limit(timeLeftMs, () => verify(connection, { log, isTimeUp }));
      } catch (error) {
        if (!(error instanceof ExportError)) throw error;
        const isLate = isTimeUp() && error.code === 'STORE_FAILED';
        throw mergeAlerts([isLate ? timeTooShort(error.message) : error]);
      }
    },
  };
}

async function verify(
  connection: Connection,
  { log, isTimeUp }: { log: Log; isTimeUp: () => boolean },
): Promise<Outcome<Json>> {
  const { store, targets, verify: settings } = connection;
  const run = await runVerification(connection, {
    tables: targets.map(({ table }) => table),
    hashSinceMs: parseTime(settings.since ?? '', store.nowMs()),
    isTimeUp,
    onProgress: (progress) => {
      if (isTimeUp()) throw timeTooShort(describeProgress(progress));
    },
  });
  if (isEmpty(run.verification)) throw noSnapshot('store', store);
  const alert = describeFaults(run) ?? run.pinsError ?? describeLate(run);
  const { notReached, notHashed } = run.verification;
  if (notReached.length > 0) {
    log('warn', 'there was not enough time to hash all parts', {
      notReached: notReached.length,
      hashedSince: notHashed.since,
      hint: lateHint,
    });
  }
  return { json: run.json, done: summarize(run), alert: alert && mergeAlerts([alert]) };
}

/** Null: nothing is wrong. */
function describeFaults({ verification, json }: VerifyRun): ExportError | null {
  const { faults, unchecked, manifests, parts } = verification;
  const read = `${count(manifests, 'manifest')} and ${count(parts, 'part')} were read`;
  const head = `${json.store}: ${count(faults.length, 'fault')}, ${count(unchecked.length, 'object')} that could not be read (${read})`;
  const advice =
    'Run `cgs-export verify`: it lists every finding with what to do. The pins were not changed.';
  return describeFindings(listErrors(verification), head, advice);
}

/** If not even the newest parts were reached, the function does not do what it is for. */
function describeLate({ verification: { notReached, notHashed } }: VerifyRun): ExportError | null {
  if (notReached.length === 0 || notHashed.since !== null) return null;
  return timeTooShort(
    `the parts of the newest snapshots could not be hashed (${notReached.length} parts were not reached); all manifests were checked`,
  );
}

const lateHint =
  'Raise `timeout` of the function `verify` in serverless.yml (at most 900), give it more memory (and so more CPU), or set `verify.since`, as in 7d: older parts are then not hashed. Run `cgs-export verify` on a host from time to time: it hashes all of them.';

function timeTooShort(reason: string): StoppedError {
  const message = `The time of the invocation was not enough to verify the store: ${reason}.`;
  return new StoppedError('TIME_TOO_SHORT', message, lateHint);
}

function describeProgress({ unit, done, total }: VerifyProgress): string {
  return `${done} of ${total} ${unit} were read`;
}

/** For the log: the lists of the result can be long. */
function summarize({ verification, pins, json: { status } }: VerifyRun): object {
  const { manifests, parts, bytes, verdicts, notHashed } = verification;
  const { faults, unchecked, unnamed, underWay, gaps, notReached } = verification;
  return {
    ...{ status, manifests, parts, bytes, verdicts, notHashed, pins },
    ...{ faults: faults.length, unchecked: unchecked.length, unnamed: unnamed.length },
    ...{ underWay: underWay.length, gaps: gaps.length, notReached: notReached.length },
  };
}
