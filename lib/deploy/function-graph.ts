// Responsible for calling the FunctionGraph API through the vendor's SDK. Not responsible for what is sent.

import type { BasicCredentials as Credentials } from '@huaweicloud/huaweicloud-sdk-core';
import type { FunctionGraphClient } from '@huaweicloud/huaweicloud-sdk-functiongraph';
import { TransientError } from '../core/errors.ts';
import {
  apiCodeOf,
  describeApiError,
  isNotFound,
  statusOf,
  unexpectedResponse,
} from './function-graph-errors.ts';
import type { Timer } from './timer-events.ts';

/** A deployed function, as ShowFunctionConfig returns it; only the fields that deploy compares. Null and absent mean the same. */
export interface DeployedFunction {
  func_urn: string;
  func_name: string;
  runtime: string;
  timeout: number;
  handler: string;
  memory_size: number;
  code_size?: number | null;
  description?: string | null;
  xrole?: string | null;
  app_xrole?: string | null;
  /** A JSON object of text values. */
  user_data?: string | null;
  /**
   * SHA-512 of the code, lower-case hex. Assumed: of the zip as it was sent. If it is not, each deploy sends the code, and the API
   * answers FSS.0409 for unchanged code.
   */
  digest?: string | null;
  last_modified?: string | null;
  func_vpc?: { vpc_id?: string; subnet_id?: string } | null;
  /** -1: no limit. */
  strategy_config?: { concurrency?: number } | null;
  log_group_id?: string | null;
  log_stream_id?: string | null;
  enterprise_project_id?: string | null;
}

export interface DeployedTrigger {
  trigger_id: string;
  trigger_type_code: string;
  trigger_status: 'ACTIVE' | 'DISABLED';
  event_data: { name?: string; schedule_type?: string; schedule?: string; user_event?: string };
}

interface Destination {
  destination?: string;
  param?: string;
}

export interface AsyncSettings {
  max_async_event_age_in_seconds?: number;
  max_async_retry_attempts?: number;
  destination_config?: { on_success?: Destination | null; on_failure?: Destination | null } | null;
}

export interface Invocation {
  requestId: string;
  /** 200, or 500 if the function threw. */
  status: number;
  result: string;
  /** The end of the function's output. */
  log: string;
}

export interface AsyncInvocation {
  request_id: string;
  status: string;
  error_message?: string | null;
  start_time?: string;
  end_time?: string;
}

export interface LogStream {
  group_name?: string;
  stream_name?: string;
}

/**
 * `find…` returns null if there is nothing; deleting what does not exist succeeds. Every function throws AuthError, ConfigError (the
 * API rejects a setting), TransientError or ProtocolError.
 */
export type FunctionGraph = Awaited<ReturnType<typeof openFunctionGraph>>;

export interface FunctionGraphOptions {
  endpoint: string;
  projectId: string;
  ak: string;
  sk: string;
  /** Null for a permanent key. */
  securityToken: string | null;
  userAgent: string;
  proxyUrl: string | null;
  sleep: (delayMs: number) => Promise<void>;
  /** Removes secrets from a text: an error message of the API may quote the request. */
  scrub: (text: string) => string;
}

const timeoutMs = 60_000;
/** A function may run for 900 s. */
const invokeTimeoutMs = 910_000;
const triesMax = 3;

/**
 * The SDK method of each call. `field`: a field that only FunctionGraph's response has, so that a proxy's page with status 200 is not
 * taken for a success; null: a list, or no response body. `isRepeatable`: a second request does no harm. The others are repeated only
 * after a 429, when the first request certainly had no effect.
 */
const calls = {
  showFunctionConfig: { field: 'func_urn', isRepeatable: true },
  createFunction: { field: 'func_urn', isRepeatable: false },
  // A second request would be rejected as unchanged and hide the outcome of the first.
  updateFunctionCode: { field: 'func_urn', isRepeatable: false },
  updateFunctionConfig: { field: 'func_urn', isRepeatable: true },
  updateFunctionMaxInstanceConfig: { field: 'func_urn', isRepeatable: true },
  showFunctionAsyncInvokeConfig: { field: 'max_async_retry_attempts', isRepeatable: true },
  updateFunctionAsyncInvokeConfig: { field: 'max_async_retry_attempts', isRepeatable: true },
  listFunctionTriggers: { field: null, isRepeatable: true },
  createFunctionTrigger: { field: 'trigger_id', isRepeatable: false },
  updateTrigger: { field: 'trigger_id', isRepeatable: true },
  deleteFunctionTrigger: { field: null, isRepeatable: true },
  invokeFunction: { field: 'status', isRepeatable: false },
  listAsyncInvocations: { field: 'invocations', isRepeatable: true },
  showLtsLogDetails: { field: 'group_id', isRepeatable: true },
  deleteFunction: { field: null, isRepeatable: true },
} satisfies Partial<
  Record<keyof FunctionGraphClient, { field: string | null; isRepeatable: boolean }>
>;

type Call = keyof typeof calls;
/** `urn`: of the function; null for a call without one. */
type Send = <T = unknown>(call: Call, urn: string | null, more?: object) => Promise<T>;

/** Long because: one short method for each of the fifteen calls. */
export async function openFunctionGraph(options: FunctionGraphOptions) {
  const send = await openSend(options, timeoutMs);
  const sendInvocation = await openSend(options, invokeTimeoutMs);

  const find = <T>(call: Call, urn: string) =>
    send<T>(call, urn).catch((error: unknown) => {
      if (isNotFound(error)) return null;
      throw error;
    });
  const findFunction = (urn: string) => find<DeployedFunction>('showFunctionConfig', urn);

  async function listTriggers(urn: string) {
    const listed = await send('listFunctionTriggers', urn);
    return readList<DeployedTrigger>(listed, 'listFunctionTriggers');
  }

  /** The response has no body to check, and may be lost. So only a read shows whether the object is gone. */
  async function remove(call: Call, deletion: Promise<unknown>, isPresent: () => Promise<boolean>) {
    const failure = await deletion.then(
      () => null,
      (error: unknown) => (isNotFound(error) ? null : { error }),
    );
    for (let tries = 1; await isPresent(); tries += 1) {
      if (failure) throw failure.error;
      if (tries === triesMax) {
        throw unexpectedResponse(`${nameOf(call)} succeeded, but the object still exists.`);
      }
      await options.sleep(1_000);
    }
  }

  return {
    findFunction,
    listTriggers,
    createFunction: (body: object) => send('createFunction', null, { body }),
    /** False: the function already has this code. */
    async updateCode(urn: string, body: object) {
      try {
        await send('updateFunctionCode', urn, { body });
        return true;
      } catch (error) {
        if (apiCodeOf(error) === 'FSS.0409') return false;
        throw error;
      }
    },
    updateConfig: (urn: string, body: object) => send('updateFunctionConfig', urn, { body }),
    limitInstances: (urn: string, instances: number) =>
      send('updateFunctionMaxInstanceConfig', urn, { body: { max_instance_num: instances } }),
    findAsync: (urn: string) => find<AsyncSettings>('showFunctionAsyncInvokeConfig', urn),
    updateAsync: (urn: string, body: object) =>
      send('updateFunctionAsyncInvokeConfig', urn, { body }),
    createTrigger: (urn: string, body: object) => send('createFunctionTrigger', urn, { body }),
    setTriggerStatus(urn: string, trigger: DeployedTrigger, status: Timer['status']) {
      const { trigger_type_code, trigger_id } = trigger;
      const body = { trigger_status: status };
      return send('updateTrigger', urn, { trigger_type_code, trigger_id, body });
    },
    deleteTrigger(urn: string, { trigger_type_code, trigger_id }: DeployedTrigger) {
      const deletion = send('deleteFunctionTrigger', urn, { trigger_type_code, trigger_id });
      return remove('deleteFunctionTrigger', deletion, async () =>
        (await listTriggers(urn)).some((other) => other.trigger_id === trigger_id),
      );
    },
    async invoke(urn: string, event: object): Promise<Invocation> {
      const headers = { 'X-Cff-Log-Type': 'tail', 'X-CFF-Request-Version': 'v1' };
      const request = { body: event, ...headers };
      const response = await sendInvocation<Record<string, unknown>>(
        'invokeFunction',
        urn,
        request,
      );
      return {
        requestId: String(response.request_id ?? response['X-Cff-Request-Id'] ?? ''),
        status: Number(response.status ?? 0),
        result: String(response.result ?? ''),
        log: String(response.log ?? ''),
      };
    },
    /** The newest 20. */
    async listInvocations(urn: string) {
      const call = 'listAsyncInvocations';
      const { invocations } = await send<{ invocations: unknown }>(call, urn, { limit: '20' });
      return readList<AsyncInvocation>(invocations, call);
    },
    findLog: (urn: string) => find<LogStream>('showLtsLogDetails', urn),
    deleteFunction: (urn: string) =>
      remove(
        'deleteFunction',
        send('deleteFunction', urn),
        async () => (await findFunction(urn)) !== null,
      ),
  };
}

/** `createFunction` → `CreateFunction`, as the API Reference writes it. */
function nameOf(call: Call): string {
  return `${call.charAt(0).toUpperCase()}${call.slice(1)}`;
}

function readList<T>(value: unknown, call: Call): T[] {
  if (Array.isArray(value)) return [...value];
  throw unexpectedResponse(`${nameOf(call)} did not return a list.`);
}

async function openSend(options: FunctionGraphOptions, callTimeoutMs: number): Promise<Send> {
  const client = await openClient(options, callTimeoutMs);

  async function sendUntilAnswered(call: Call, request: object): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await client[call](request as never);
      } catch (thrown) {
        const error = describeApiError(nameOf(call), thrown, options.scrub);
        const mayRepeat =
          error instanceof TransientError && (calls[call].isRepeatable || statusOf(error) === 429);
        if (!mayRepeat || tries === triesMax) throw error;
        await options.sleep(1_000 * 2 ** (tries - 1));
      }
    }
  }

  return async <T>(call: Call, urn: string | null, more = {}) => {
    const request = urn === null ? more : { function_urn: urn, ...more };
    const response = await sendUntilAnswered(call, request);
    const { field } = calls[call];
    if (field === null) return response as T;
    if (typeof response === 'object' && response !== null && field in response) {
      return response as T;
    }
    throw unexpectedResponse(`The response to ${nameOf(call)} has no ${field}.`);
  };
}

async function openClient(
  options: FunctionGraphOptions,
  callTimeoutMs: number,
): Promise<FunctionGraphClient> {
  const { endpoint, projectId, ak, sk, securityToken, userAgent, proxyUrl } = options;
  // Imported here because `package` does not need the SDK.
  const logger = await import('@huaweicloud/huaweicloud-sdk-core/logger/log4jLogger.js');
  // Otherwise the SDK prints the Authorization header of every failed request.
  logger.Logger4jInstance.level = 'off';
  const core = await import('@huaweicloud/huaweicloud-sdk-core');
  const sdk = await import('@huaweicloud/huaweicloud-sdk-functiongraph');
  const credentials: Credentials = new core.BasicCredentials()
    .withAk(ak)
    .withSk(sk)
    .withProjectId(projectId);
  if (securityToken !== null) credentials.withSecurityToken(securityToken);
  const builder = sdk.FunctionGraphClient.newBuilder()
    .withCredential(credentials)
    // Not withRegion: it looks up the project by name and creates it if it does not exist.
    .withEndpoint(endpoint)
    .withOptions({
      // Without a user agent the SDK writes an id into the home folder.
      customUserAgent: userAgent,
      // Without a time-out the SDK waits for ever.
      axiosRequestConfig: { timeout: callTimeoutMs, maxRedirects: 0 },
    });
  if (proxyUrl !== null) builder.withProxyAgent(proxyUrl);
  return builder.build() as FunctionGraphClient;
}
