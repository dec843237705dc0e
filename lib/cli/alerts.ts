// Responsible for the command `alerts`: sends a test alert to each destination of the configuration.

import type { TestedDestination } from '../app/alerting.ts';
import { toErrorsJson } from '../app/result-json.ts';
import { policyOf } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectTargets } from './connection.ts';
import { worstOf } from './exit-code.ts';
import type { CommonOptions } from './options.ts';
import type { Session } from './session.ts';

export const alertsCommand: CommandDefinition = {
  name: 'alerts',
  summary: 'send a test alert',
  description:
    'alerts test: sends one alert, which says that it is a test, to the webhook and the SMN topic of the configuration. Neither reads nor writes the store.',
  arguments: [['[action]', 'test']],
  // None: a test alert is about no target.
  addTargetOptions: () => {},
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4],
  examples: ['cgs-export alerts test', 'cgs-export alerts test --json'],
  note: 'If several destinations fail, the exit code is the first of 1, 2, 3, 4 that occurred.',
  run: runAlerts,
};

async function runAlerts(
  options: CommonOptions,
  session: Session,
  [action]: readonly string[],
): Promise<Outcome> {
  if (action !== 'test') {
    const message = action === undefined ? 'is missing' : `"${action}" is not an action`;
    throw configFault('action', message, 'Write `cgs-export alerts test`.');
  }
  const { testAlerts } = await connectTargets(options, session, { sourceFlags: [] });
  if (testAlerts === null) {
    const hint =
      'Add `alerts: { webhook: { url: ${HOOK_URL}, secret: ${HOOK_SECRET} } }`, or smn, to the configuration: see docs/alerts.md.';
    throw configFault('alerts', 'is missing, so there is nothing to test', hint);
  }
  const tested = await testAlerts(session.signal);
  const errors = tested.flatMap(({ error }) => error ?? []);
  return {
    exitCode: worstOf(errors.map((error) => policyOf(error).exitCode)),
    json: {
      status: errors.length === 0 ? 'delivered' : 'failed',
      destinations: tested.map(({ destination, error }) => ({
        destination,
        delivered: error === null,
        code: error?.code ?? null,
      })),
      errors: errors.flatMap((error) => toErrorsJson(error, session.scrubber)),
    },
    text: tested.map(describeTested).join(''),
  };
}

function describeTested({ destination, error }: TestedDestination): string {
  const what = error === null ? 'a test alert was delivered' : `not delivered (${error.code})`;
  return `${destination}: ${what}\n`;
}
