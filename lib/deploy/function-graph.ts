// Owns the way to FunctionGraph: the vendor's SDK behind a few functions, and its errors with a hint. Refuses to decide what to send.

import type { BasicCredentials as Credentials } from '@huaweicloud/huaweicloud-sdk-core';
import type { FunctionGraphClient } from '@huaweicloud/huaweicloud-sdk-functiongraph';
import {
  AuthError,
  ConfigError,
  ExportError,
  ProtocolError,
  TransientError,
} from '../core/errors.ts';

/** What the API tells of a function, as far as it is compared. Null and absent mean the same. */
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
  /** JSON. */
  user_data?: string | null;
  /** Sha-512 of the code, lower-case hex. Assumed: of the zip as it was sent. If not, each deploy sends it, and a code that did not change is refused with FSS.0409. */
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

export interface AsyncSettings {
  max_async_event_age_in_seconds?: number;
  max_async_retry_attempts?: number;
  destination_config?: {
    on_success?: { destination?: string; param?: string } | null;
    on_failure?: { destination?: string; param?: string } | null;
  } | null;
}

export interface Invocation {
  requestId: string;
  status: number;
  result: string;
  /** The last of what it printed. */
  log: string;
}

export interface AsyncInvocation {
  request_id: string;
  status: string;
  error_code?: number | null;
  error_message?: string | null;
  start_time?: string;
  end_time?: string;
}

/** Null: there is none. Every function throws AuthError, ConfigError (refused as it is), TransientError or ProtocolError. */
export interface FunctionGraph {
  findFunction(urn: string): Promise<DeployedFunction | null>;
  createFunction(body: object): Promise<void>;
  /** False: it was this code already. */
  updateCode(urn: string, body: object): Promise<boolean>;
  updateConfig(urn: string, body: object): Promise<void>;
  limitInstances(urn: string, instances: number): Promise<void>;
  findAsync(urn: string): Promise<AsyncSettings | null>;
  updateAsync(urn: string, body: object): Promise<void>;
  listTriggers(urn: string): Promise<DeployedTrigger[]>;
  createTrigger(urn: string, body: object): Promise<void>;
  setTriggerStatus(urn: string, trigger: DeployedTrigger, status: string): Promise<void>;
  deleteTrigger(urn: string, trigger: DeployedTrigger): Promise<void>;
  invoke(urn: string, event: object): Promise<Invocation>;
  listInvocations(urn: string): Promise<AsyncInvocation[]>;
  findLog(urn: string): Promise<{ group_name?: string; stream_name?: string } | null>;
  deleteFunction(urn: string): Promise<void>;
}

export interface FunctionGraphOptions {
  endpoint: string;
  projectId: string;
  ak: string;
  sk: string;
  /** Null: a lasting key. */
  securityToken: string | null;
  userAgent: string;
  proxyUrl: string | null;
  sleep: (delayMs: number) => Promise<void>;
  /** Takes secrets out: the API may say what it was sent. */
  scrub: (text: string) => string;
}

/** A call that takes longer has failed, milliseconds; an invocation may take its own 900 s. */
const timeoutMs = 60_000;
const invokeTimeoutMs = 910_000;
/** Of calls that may be repeated without harm. */
const triesMax = 3;

export async function openFunctionGraph(options: FunctionGraphOptions): Promise<FunctionGraph> {
  const [client, patient] = await Promise.all([
    openClient(options, timeoutMs),
    openClient(options, invokeTimeoutMs),
  ]);

  async function send<T>(
    what: string,
    request: () => Promise<unknown>,
    mayRepeat: (error: TransientError) => boolean,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await request()) as T;
      } catch (thrown) {
        const error = describeApiError(what, thrown, options.scrub);
        if (!(error instanceof TransientError) || tries === triesMax || !mayRepeat(error))
          throw error;
        await options.sleep(1_000 * 2 ** (tries - 1));
      }
    }
  }

  const repeat = <T>(what: string, request: () => Promise<unknown>) =>
    send<T>(what, request, () => true);

  /** What may not be done twice: repeated only where it was certainly not done. */
  const call = <T>(what: string, request: () => Promise<unknown>) =>
    send<T>(what, request, (error) => statusOf(error) === 429);

  /** What answers 200 need not be FunctionGraph: a proxy's page would be taken for a deployment. */
  async function made<T>(
    sending: typeof repeat,
    what: string,
    member: string,
    request: () => Promise<unknown>,
  ): Promise<T> {
    const value = await sending<T>(what, request);
    if (typeof value === 'object' && value !== null && member in value) return value;
    throw unexpected(`${what} answered without ${member}.`);
  }

  /** A deletion answers nothing that could be looked at, so what should be gone is looked for. */
  async function remove(
    what: string,
    request: () => Promise<unknown>,
    isThere: () => Promise<boolean>,
  ): Promise<void> {
    await orAbsent(() => repeat(what, request));
    for (let tries = 1; await isThere(); tries += 1) {
      if (tries === triesMax) throw unexpected(`${what} answered, but what it deletes is there.`);
      await options.sleep(1_000);
    }
  }

  async function orAbsent<T>(request: () => Promise<T>): Promise<T | null> {
    try {
      return await request();
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  const findFunction = (urn: string) =>
    orAbsent(() =>
      made<DeployedFunction>(repeat, 'ShowFunctionConfig', 'func_urn', () =>
        client.showFunctionConfig({ function_urn: urn } as never),
      ),
    );

  async function listTriggers(urn: string): Promise<DeployedTrigger[]> {
    const answer = await repeat<unknown>('ListFunctionTriggers', () =>
      client.listFunctionTriggers({ function_urn: urn } as never),
    );
    if (Array.isArray(answer)) return [...answer];
    throw unexpected('ListFunctionTriggers gave no list.');
  }

  return {
    findFunction,
    listTriggers,
    async createFunction(body) {
      await made(call, 'CreateFunction', 'func_urn', () =>
        client.createFunction({ body } as never),
      );
    },
    async updateCode(urn, body) {
      try {
        // Not repeated: the second time it would be refused as unchanged, whatever the first one did.
        await made(call, 'UpdateFunctionCode', 'func_urn', () =>
          client.updateFunctionCode({ function_urn: urn, body } as never),
        );
        return true;
      } catch (error) {
        if (codeOf(error) === 'FSS.0409') return false;
        throw error;
      }
    },
    async updateConfig(urn, body) {
      await made(repeat, 'UpdateFunctionConfig', 'func_urn', () =>
        client.updateFunctionConfig({ function_urn: urn, body } as never),
      );
    },
    async limitInstances(urn, instances) {
      const body = { max_instance_num: instances };
      await made(repeat, 'UpdateFunctionMaxInstanceConfig', 'func_urn', () =>
        client.updateFunctionMaxInstanceConfig({ function_urn: urn, body } as never),
      );
    },
    findAsync: (urn) =>
      orAbsent(() =>
        made(repeat, 'ShowFunctionAsyncInvokeConfig', 'max_async_retry_attempts', () =>
          client.showFunctionAsyncInvokeConfig({ function_urn: urn } as never),
        ),
      ),
    async updateAsync(urn, body) {
      await made(repeat, 'UpdateFunctionAsyncInvokeConfig', 'max_async_retry_attempts', () =>
        client.updateFunctionAsyncInvokeConfig({ function_urn: urn, body } as never),
      );
    },
    async createTrigger(urn, body) {
      await made(call, 'CreateFunctionTrigger', 'trigger_id', () =>
        client.createFunctionTrigger({ function_urn: urn, body } as never),
      );
    },
    async setTriggerStatus(urn, { trigger_type_code, trigger_id }, status) {
      const request = { function_urn: urn, trigger_type_code, trigger_id };
      await made(repeat, 'UpdateTrigger', 'trigger_id', () =>
        client.updateTrigger({ ...request, body: { trigger_status: status } } as never),
      );
    },
    async deleteTrigger(urn, { trigger_type_code, trigger_id }) {
      const request = { function_urn: urn, trigger_type_code, trigger_id };
      await remove(
        'DeleteFunctionTrigger',
        () => client.deleteFunctionTrigger(request as never),
        async () => (await listTriggers(urn)).some((other) => other.trigger_id === trigger_id),
      );
    },
    async invoke(urn, event) {
      const answer = await made<Record<string, unknown>>(call, 'InvokeFunction', 'status', () =>
        patient.invokeFunction({
          function_urn: urn,
          body: event,
          'X-Cff-Log-Type': 'tail',
          'X-CFF-Request-Version': 'v1',
        } as never),
      );
      return {
        requestId: String(answer.request_id ?? answer['X-Cff-Request-Id'] ?? ''),
        status: Number(answer.status ?? 0),
        result: String(answer.result ?? ''),
        log: String(answer.log ?? ''),
      };
    },
    async listInvocations(urn) {
      const what = 'ListAsyncInvocations';
      const { invocations } = await made<{ invocations: unknown }>(
        repeat,
        what,
        'invocations',
        () => client.listAsyncInvocations({ function_urn: urn, limit: '20' } as never),
      );
      if (Array.isArray(invocations)) return [...invocations];
      throw unexpected(`${what} gave no list.`);
    },
    findLog: (urn) =>
      orAbsent(() =>
        made(repeat, 'ShowLtsLogDetails', 'group_id', () =>
          client.showLtsLogDetails({ function_urn: urn } as never),
        ),
      ),
    async deleteFunction(urn) {
      await remove(
        'DeleteFunction',
        () => client.deleteFunction({ function_urn: urn } as never),
        async () => (await findFunction(urn)) !== null,
      );
    },
  };
}

async function openClient(
  options: FunctionGraphOptions,
  callTimeoutMs: number,
): Promise<FunctionGraphClient> {
  const { endpoint, projectId, ak, sk, securityToken, userAgent, proxyUrl } = options;
  // Loaded here: packing needs none of it.
  const logger = await import('@huaweicloud/huaweicloud-sdk-core/logger/log4jLogger.js');
  // It would print the Authorization header of every failed request.
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
    // Never withRegion: it would ask for the project by name, and create it if there is none.
    .withEndpoint(endpoint)
    // Without a user agent of ours it writes an id into the home folder; without a time-out it waits for ever.
    .withOptions({
      customUserAgent: userAgent,
      axiosRequestConfig: { timeout: callTimeoutMs, maxRedirects: 0 },
    });
  if (proxyUrl !== null) builder.withProxyAgent(proxyUrl);
  return builder.build() as FunctionGraphClient;
}

/** What the SDK throws. */
interface SdkException {
  httpStatusCode?: number;
  errorCode?: string;
  errorMsg?: string;
  requestId?: string;
}

const absent = new Set(['FSS.0404', 'FSS.0410', 'FSS.1051']);

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  // A 404 without the API's code is somebody else's page.
  return code !== null && absent.has(code);
}

function unexpected(message: string): ProtocolError {
  const hint = 'Check the endpoint: something answers there that is not FunctionGraph.';
  return new ProtocolError('UNEXPECTED_ANSWER', message, hint);
}

function statusOf({ cause }: ExportError): number | null {
  return (cause as SdkException | undefined)?.httpStatusCode ?? null;
}

/** The API's own code of an error that describeApiError made; null for others. */
function codeOf(error: unknown): string | null {
  const { cause } = error as { cause?: SdkException };
  if (!(error instanceof ExportError) || cause?.httpStatusCode === undefined) return null;
  return cause.errorCode ?? `HTTP_${cause.httpStatusCode}`;
}

/** Which setting a refusal is about. Source: FunctionGraph API Reference, "Error Codes", read 2026-11-24. */
const settingOf: Record<string, string> = {
  'FSS.1002': 'name',
  'FSS.1003': 'handler',
  'FSS.1004': 'app',
  'FSS.1005': 'runtime',
  'FSS.1007': 'memorySize',
  'FSS.1008': 'timeout',
  'FSS.1009': 'environment',
  'FSS.1011': 'package',
  'FSS.1017': 'environment',
  'FSS.1018': 'environment',
  'FSS.0413': 'package',
};

/** The error that a person can act on: the API's code, message and request id, and what to do. */
export function describeApiError(
  what: string,
  error: unknown,
  scrub: (text: string) => string = (text) => text,
): ExportError {
  const exception = error as SdkException & { message?: string };
  const { httpStatusCode, errorCode, requestId } = exception;
  const said = typeof exception.errorMsg === 'string' ? exception.errorMsg : exception.message;
  const id = requestId ? ` (request id ${requestId})` : '';
  const code = errorCode ?? (httpStatusCode ? `HTTP_${httpStatusCode}` : 'NETWORK');
  // Cut only then: half a secret would not be known as one.
  const message = `${what}: ${code} ${scrub(String(said ?? '')).slice(0, 500)}${id}`;
  const options = { cause: exception };
  if (httpStatusCode === 401 || httpStatusCode === 403) {
    const hint =
      'Check the key and the project; deploying needs FunctionGraph FullAccess, and naming an agency needs iam:agencies:pass.';
    return new AuthError(code, message, hint, options);
  }
  if (httpStatusCode === undefined || httpStatusCode === 429 || httpStatusCode >= 500) {
    const hint =
      httpStatusCode === undefined
        ? 'Check the network, the region and the endpoint, then give the same command again: what is done is not done twice.'
        : 'The service is busy or failing: give the same command again later; what is done is not done twice.';
    return new TransientError(code, message, hint, options);
  }
  const setting = settingOf[code];
  if (setting !== undefined) {
    const hint = `Change ${setting} of the function in serverless.yml.`;
    const refusal = new ConfigError([{ path: setting, message, hint }]);
    refusal.cause = exception;
    return refusal;
  }
  return new ProtocolError(code, message, hintFor(httpStatusCode, errorCode), options);
}

function hintFor(status: number, errorCode: string | undefined): string {
  if (errorCode === undefined) {
    return 'Check the endpoint and the proxy: this is no answer of FunctionGraph.';
  }
  if (status === 404) {
    return 'Is it deployed, in this region and project? `serverless info` shows it, `serverless deploy` makes it.';
  }
  return 'Look the code up in the FunctionGraph API Reference, "Error Codes", and change serverless.yml accordingly.';
}
