// Responsible for connecting the real FunctionGraph client to the test double. Retries do not wait.

import {
  type DeployedFunction,
  type FunctionGraph,
  openFunctionGraph,
} from '../../lib/deploy/function-graph.ts';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { type FunctionSettings, readSettings } from '../../lib/deploy/settings.ts';
import type { FunctionSection } from '../../lib/deploy/settings-schema.ts';
import type { FunctionGraphDouble } from './function-graph.ts';

export function connectTo(
  double: FunctionGraphDouble,
  key: { ak?: string; sk?: string; securityToken?: string | null } = {},
  sleeps: number[] = [],
): Promise<FunctionGraph> {
  return openFunctionGraph({
    endpoint: double.url,
    projectId: double.projectId,
    ...double.key,
    ...key,
    proxyUrl: null,
    sleep: async (delayMs) => void sleeps.push(delayMs),
    scrub: (text) => text,
  });
}

export function settingsOf(section: FunctionSection = {}): FunctionSettings {
  const [settings] = readSettings(
    {},
    {
      collect: { name: 'cgs-export-collect', agencyName: 'cgs-export', ...section },
    },
  );
  if (!settings) throw new Error('no settings');
  return settings;
}

/** The deployed configuration that belongs to `settingsOf()`. */
export const deployed: DeployedFunction = {
  func_urn: 'urn:fss:r:p:function:default:cgs-export-collect',
  func_name: 'cgs-export-collect',
  runtime: 'Node.js20.15',
  handler: 'index.handler',
  memory_size: 256,
  timeout: 60,
  xrole: 'cgs-export',
};

export const timerOf = (
  name: string,
  schedule = '1m',
  status: 'ACTIVE' | 'DISABLED' = 'ACTIVE',
) => ({
  triggerTypeCode: 'TIMER' as const,
  status,
  eventData: { name, scheduleType: 'Rate' as const, schedule },
});

/** A function that returns `answer` and its input. It fails if the event has `fail`. */
export function zipAnswering(answer: string): Promise<Buffer> {
  const code = `exports.handler = async (event, context) => {
  console.log('ran', ${JSON.stringify(answer)});
  if (event.fail) throw Object.assign(new Error('failed on request'), { code: 'ON_REQUEST' });
  return { answer: ${JSON.stringify(answer)}, event, secret: context.getUserData('PROD_SK'), ak: context.getSecurityAccessKey() };
};`;
  return writeZip([{ path: 'index.js', bytes: Buffer.from(code) }]);
}
