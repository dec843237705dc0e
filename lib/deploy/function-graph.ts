// Responsible for calling the FunctionGraph API through the vendor's SDK. Not responsible for what is sent.

import type { FunctionGraphClient } from '@huaweicloud/huaweicloud-sdk-functiongraph';
import { TransientError } from '../core/errors.ts';
import { asRecord } from '../core/value-shape.ts';
import { VERSION } from '../core/version.ts';
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
  event_data: { name?: string; schedule_type?: string; schedule?: string };
}

export interface AsyncSettings {
  max_async_event_age_in_seconds?: number;
  max_async_retry_attempts?: number;
  /** By event. */
  destination_config?: Partial<
    Record<'on_success' | 'on_failure', { destination?: string; param?: string } | null>
  > | null;
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

export interface FunctionGraphOptions {
  endpoint: string;
  projectId: string;
  ak: string;
  sk: string;
  /** Null for a permanent key. */
  securityToken: string | null;
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
 * The SDK's method for each call, and a field that only FunctionGraph's response has, so that a proxy's page with status 200 is not
 * taken for a success. Null: the response is a list or has no body.
 */
const fieldOf = {
  showFunctionConfig: 'func_urn',
  createFunction: 'func_urn',
  updateFunctionCode: 'func_urn',
  updateFunctionConfig: 'func_urn',
  updateFunctionMaxInstanceConfig: 'func_urn',
  showFunctionAsyncInvokeConfig: 'max_async_retry_attempts',
  updateFunctionAsyncInvokeConfig: 'max_async_retry_attempts',
  listFunctionTriggers: null,
  createFunctionTrigger: 'trigger_id',
  updateTrigger: 'trigger_id',
  deleteFunctionTrigger: null,
  invokeFunction: 'status',
  listAsyncInvocations: 'invocations',
  showLtsLogDetails: 'group_id',
  deleteFunction: null,
} satisfies Partial<Record<keyof FunctionGraphClient, string | null>>;

type Call = keyof typeof fieldOf;

/**
 * Repeated only after a 429, when the first request certainly had no effect. `updateFunctionCode`: a second request would be rejected
 * as unchanged and hide the outcome of the first.
 */
const notRepeatable = new Set<Call>([
  'createFunction',
  'updateFunctionCode',
  'createFunctionTrigger',
  'invokeFunction',
]);

export type FunctionGraph = Awaited<ReturnType<typeof openFunctionGraph>>;

/**
 * `find…` returns null if there is nothing; deleting what does not exist succeeds. Every method throws AuthError, ConfigError (the
 * API rejects a setting), TransientError or ProtocolError. Long because: one short method for each of the fifteen calls.
 */
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
    const call = 'listFunctionTriggers';
    return readList<DeployedTrigger>(await send(call, urn), call);
  }

  /** The response has no body to check, and may be lost. So only a read shows whether the object is gone. */
  async function remove(call: Call, urn: string, more: object, isPresent: () => Promise<boolean>) {
    const [deletion] = await Promise.allSettled([send(call, urn, more)]);
    for (let tries = 1; await isPresent(); tries += 1) {
      if (deletion.status === 'rejected' && !isNotFound(deletion.reason)) throw deletion.reason;
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
      const trigger = { trigger_type_code, trigger_id };
      return remove('deleteFunctionTrigger', urn, trigger, async () =>
        (await listTriggers(urn)).some((other) => other.trigger_id === trigger_id),
      );
    },
    async invoke(urn: string, event: object) {
      const headers = { 'X-Cff-Log-Type': 'tail', 'X-CFF-Request-Version': 'v1' };
      const sent = await sendInvocation('invokeFunction', urn, { body: event, ...headers });
      const response = asRecord(sent);
      return {
        requestId: String(response.request_id ?? response['X-Cff-Request-Id'] ?? ''),
        /** 200, or 500 if the function threw. */
        status: Number(response.status ?? 0),
        result: String(response.result ?? ''),
        /** The end of the function's output. */
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
      remove('deleteFunction', urn, {}, async () => (await findFunction(urn)) !== null),
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

async function openSend(options: FunctionGraphOptions, callTimeoutMs: number) {
  const client = await openClient(options, callTimeoutMs);

  async function sendUntilAnswered(call: Call, request: object): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await client[call](request as never);
      } catch (thrown) {
        const error = describeApiError(nameOf(call), thrown, options.scrub);
        const isHarmless = !notRepeatable.has(call) || statusOf(error) === 429;
        if (!(error instanceof TransientError && isHarmless) || tries === triesMax) throw error;
        await options.sleep(1_000 * 2 ** (tries - 1));
      }
    }
  }

  /** `urn`: of the function; null for a call without one. */
  return async <T = unknown>(call: Call, urn: string | null, more: object = {}): Promise<T> => {
    const request = urn === null ? more : { function_urn: urn, ...more };
    const response = await sendUntilAnswered(call, request);
    const field = fieldOf[call];
    if (field === null || field in asRecord(response)) return response as T;
    throw unexpectedResponse(`The response to ${nameOf(call)} has no ${field}.`);
  };
}

async function openClient(
  options: FunctionGraphOptions,
  callTimeoutMs: number,
): Promise<FunctionGraphClient> {
  const { endpoint, projectId, ak, sk, securityToken, proxyUrl } = options;
  // Imported here because `package` does not need the SDK.
  const logger = await import('@huaweicloud/huaweicloud-sdk-core/logger/log4jLogger.js');
  // Otherwise the SDK prints the Authorization header of every failed request.
  logger.Logger4jInstance.level = 'off';
  const { BasicCredentials } = await import('@huaweicloud/huaweicloud-sdk-core');
  const sdk = await import('@huaweicloud/huaweicloud-sdk-functiongraph');
  const credentials = new BasicCredentials().withAk(ak).withSk(sk).withProjectId(projectId);
  if (securityToken !== null) credentials.withSecurityToken(securityToken);
  const builder = sdk.FunctionGraphClient.newBuilder()
    .withCredential(credentials)
    // Not withRegion: it looks up the project by name and creates it if it does not exist.
    .withEndpoint(endpoint)
    .withOptions({
      // Without a user agent the SDK writes an id into the home folder.
      customUserAgent: `cgs-export/${VERSION}`,
      // Without a time-out the SDK waits for ever.
      axiosRequestConfig: { timeout: callTimeoutMs, maxRedirects: 0 },
    });
  if (proxyUrl !== null) builder.withProxyAgent(proxyUrl);
  return builder.build() as FunctionGraphClient;
}
