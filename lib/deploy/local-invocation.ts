// Owns what an invocation is where there is no FunctionGraph: its event and its context. Refuses to run anything.

import type { FunctionContext } from '../platform/function-context.ts';
import type { FunctionSettings } from './settings.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A timer's event. Source: FunctionGraph User Guide, "Supported Event Sources", TIMER, read 2026-11-24. */
export function createTimerEvent(settings: FunctionSettings, nowMs: number): object {
  const timer = settings.timers[0];
  return {
    version: 'v2.0',
    time: new Date(nowMs).toISOString(),
    trigger_type: 'TIMER',
    trigger_name: timer?.name ?? 'local',
    user_event: timer?.userEvent ?? '',
  };
}

/** As FunctionGraph's, but that the key is that of whoever invokes: an agency cannot be had here. */
export function createLocalContext(
  settings: FunctionSettings,
  variables: Variables,
  nowMs: () => number,
): FunctionContext {
  const endMs = nowMs() + settings.timeoutSeconds * 1_000;
  return {
    isLocal: true,
    getSecurityToken: () => variables.HUAWEICLOUD_SDK_SECURITY_TOKEN ?? '',
    getRequestID: () => 'local',
    getMemorySize: () => settings.memorySize,
    getRemainingTimeInMilliSeconds: () => Math.max(0, endMs - nowMs()),
    getSecurityAccessKey: () => variables.HUAWEICLOUD_SDK_AK ?? '',
    getSecuritySecretKey: () => variables.HUAWEICLOUD_SDK_SK ?? '',
    getUserData: (name) =>
      settings.environment[name] ?? (settings.secrets.includes(name) ? variables[name] : undefined),
  };
}
