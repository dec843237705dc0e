// Responsible for a test double of FunctionGraph over HTTP on 127.0.0.1: the API as in the SDK's models, and timers that
// fire on request. It rejects what the service rejects, hides encrypted variables and runs each invocation in a process.

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import {
  checkAsync,
  checkCode,
  checkConfig,
  checkCreate,
  checkInstances,
  checkTrigger,
  checkTriggerUpdate,
  type Rejection,
} from './function-graph-rules.ts';
import { type RunOutcome, type UnpackedFunction, unpackFunction } from './function-process.ts';
import { findSignatureFault, type Key } from './plain-signature.ts';

type Body = Record<string, unknown>;

interface Trigger {
  trigger_id: string;
  trigger_type_code: string;
  trigger_status: string;
  event_data: Record<string, string>;
}

export interface HeldFunction {
  config: Body;
  /** The encrypted variables in plain text. */
  encrypted: Record<string, string>;
  zip: Buffer;
  triggers: Trigger[];
  async: Body | null;
  unpacked: Promise<UnpackedFunction> | null;
  invocations: Body[];
}

export interface FunctionGraphOptions {
  region?: string;
  projectId?: string;
  key?: Partial<Key>;
  /** The temporary key for functions with an agency. */
  agency?: { ak: string; sk: string; securityToken: string };
  nodePath?: string;
  /** Upper limit for the functions' configured timeout. */
  timeoutMs?: number;
}

export interface FunctionGraphDouble {
  url: string;
  region: string;
  projectId: string;
  key: Key;
  functions: Map<string, HeldFunction>;
  /** Method and path of every request with a valid signature. */
  requests: string[];
  /** Returns the error to send instead of the response, or null. May be replaced at any time. */
  fail: (method: string, path: string) => Rejection | null;
  /** True: the request has its effect, but the connection closes without a response. */
  lose: (method: string, path: string) => boolean;
  /** The response to send after the request had its effect, or null for the normal one. */
  answerAfter: (method: string, path: string) => { status: number; body: string } | null;
  /** Notifications sent to failure destinations. */
  delivered: { destination: string; param: string; error: string }[];
  /** Fires every active timer of every function once, one after the other. `name`: only the timers of this name. */
  fireTimers(name?: string): Promise<RunOutcome[]>;
  stop(): Promise<void>;
}

const rejection = (status: number, code: string, message: string): Rejection => ({
  status,
  code,
  message,
});

export async function startFunctionGraph(
  options: FunctionGraphOptions = {},
): Promise<FunctionGraphDouble> {
  const region = options.region ?? 'cn-south-4';
  const projectId = options.projectId ?? 'f0e1d2c3b4a5968778695a4b3c2d1e0f';
  const key: Key = {
    ak: 'DEPLOYERKEY000000000',
    sk: 'deployer-secret-that-opens-nothing',
    securityToken: null,
    ...options.key,
  };
  const functions = new Map<string, HeldFunction>();
  const double: FunctionGraphDouble = {
    url: '',
    region,
    projectId,
    key,
    functions,
    requests: [],
    fail: () => null,
    lose: () => false,
    answerAfter: () => null,
    delivered: [],
    fireTimers,
    stop,
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      send(response, { status: 500, code: 'FSS.0500', message: String(error) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function send(response: ServerResponse, what: Rejection | { body: unknown; headers?: object }) {
    const [status, body] =
      'status' in what
        ? [what.status, { error_code: what.code, error_msg: what.message }]
        : [200, what.body];
    const headers = {
      'content-type': 'application/json',
      'x-request-id': randomUUID(),
      ...('headers' in what ? what.headers : {}),
    };
    response.writeHead(status, headers).end(JSON.stringify(body ?? {}));
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    const fault = findSignatureFault({ method, url, headers, body }, key, Date.now());
    if (fault !== null) return send(response, rejection(401, 'APIGW.0301', fault));
    const path = decodeURIComponent(new URL(url, double.url).pathname);
    double.requests.push(`${method} ${path}`);
    const failure = double.fail(method, path);
    if (failure) return send(response, failure);
    if (path === '/v3/projects') {
      const name = new URL(url, double.url).searchParams.get('name');
      const projects = name === region ? [{ id: projectId, name: region, enabled: true }] : [];
      return send(response, { body: { projects } });
    }
    if (!path.startsWith(`/v2/${projectId}/fgs/`) || headers['x-project-id'] !== projectId) {
      return send(response, rejection(403, 'FSS.0403', 'Forbidden'));
    }
    let parsed: Body;
    try {
      parsed = body.length > 0 ? (JSON.parse(String(body)) as Body) : {};
    } catch {
      return send(response, rejection(406, 'FSS.0406', 'Not acceptable.'));
    }
    const result = await route(method, path.slice(`/v2/${projectId}/fgs`.length), parsed);
    const other = double.answerAfter(method, path);
    if (double.lose(method, path)) request.socket.destroy();
    else if (other) response.writeHead(other.status).end(other.body);
    else send(response, result);
  }

  async function route(
    method: string,
    path: string,
    body: Body,
  ): Promise<Rejection | { body: unknown }> {
    if (`${method} ${path}` === 'POST /functions') return create(body);
    const [, kind, urn = '', ...rest] = path.split('/');
    const held = functions.get(urn.replace(/:latest$/, ''));
    if (!held) return rejection(404, 'FSS.1051', 'Not found the function.');
    if (kind === 'triggers') return routeTrigger(method, held, rest, body);
    const action = `${method} ${rest.join('/')}`.trim();
    switch (action) {
      case 'GET config':
        return { body: show(held) };
      case 'PUT config': {
        const wrong = checkConfig(body);
        if (wrong) return wrong;
        configure(held, body);
        if (typeof body.encrypted_user_data === 'string') {
          held.encrypted = JSON.parse(body.encrypted_user_data) as Record<string, string>;
        }
        return { body: show(held) };
      }
      case 'PUT code': {
        const wrong = checkCode(body);
        if (wrong) return wrong;
        const zip = zipOf(body);
        if (zip.equals(held.zip)) return rejection(409, 'FSS.0409', 'The code is not changed.');
        await setCode(held, zip);
        return { body: show(held) };
      }
      case 'PUT config-max-instance': {
        const wrong = checkInstances(body);
        if (wrong) return wrong;
        held.config.strategy_config = { concurrency: body.max_instance_num, concurrent_num: 1 };
        return { body: show(held) };
      }
      case 'GET async-invoke-config':
        return held.async
          ? { body: { func_urn: held.config.func_urn, ...held.async } }
          : rejection(404, 'FSS.0404', 'Not found.');
      case 'PUT async-invoke-config': {
        const wrong = checkAsync(body);
        if (wrong) return wrong;
        held.async = body;
        return { body: { func_urn: held.config.func_urn, ...body } };
      }
      case 'GET async-invocations':
        return { body: { invocations: held.invocations, count: held.invocations.length } };
      case 'GET lts-log-detail':
        return held.config.log_group_id
          ? {
              body: {
                group_id: held.config.log_group_id,
                group_name: 'group',
                stream_name: 'stream',
              },
            }
          : rejection(404, 'FSS.0404', 'Not found.');
      case 'POST invocations':
        return invoke(held, body);
      case 'DELETE':
        functions.delete(urnOf(held));
        await (await held.unpacked)?.remove();
        return { body: {} };
      default:
        return rejection(404, 'APIGW.0101', `The API does not exist: ${action}`);
    }
  }

  function routeTrigger(method: string, held: HeldFunction, rest: string[], body: Body) {
    const [type, id] = rest;
    if (method === 'GET' && !type) return { body: held.triggers };
    if (method === 'POST' && !type) {
      const names = held.triggers.map(({ event_data }) => event_data.name ?? '');
      const wrong = checkTrigger(body, names);
      if (wrong) return wrong;
      const trigger: Trigger = {
        trigger_id: randomUUID(),
        trigger_type_code: String(body.trigger_type_code),
        trigger_status: String(body.trigger_status ?? 'ACTIVE'),
        event_data: { ...(body.event_data as Record<string, string>) },
      };
      held.triggers.push(trigger);
      return { body: trigger };
    }
    const trigger = held.triggers.find((one) => one.trigger_id === id);
    if (!trigger || trigger.trigger_type_code !== type) {
      return rejection(404, 'FSS.0404', 'The specified resource was not found.');
    }
    if (method === 'DELETE') {
      held.triggers.splice(held.triggers.indexOf(trigger), 1);
      return { body: {} };
    }
    if (method !== 'PUT') return rejection(404, 'APIGW.0101', 'The API does not exist');
    const wrong = checkTriggerUpdate(body);
    if (wrong) return wrong;
    trigger.trigger_status = String(body.trigger_status);
    return { body: trigger };
  }

  async function create(body: Body) {
    const wrong = checkCreate(body);
    if (wrong) return wrong;
    const urn = `urn:fss:${region}:${projectId}:function:${body.package}:${body.func_name}`;
    if (functions.has(urn))
      return rejection(409, 'FSS.0409', 'The specified resource already exists.');
    const held: HeldFunction = {
      config: {
        func_urn: `${urn}:latest`,
        package: body.package,
        strategy_config: { concurrency: 400 },
      },
      encrypted: {},
      zip: Buffer.alloc(0),
      triggers: [],
      async: null,
      unpacked: null,
      invocations: [],
    };
    configure(held, body);
    await setCode(held, zipOf(body));
    functions.set(urn, held);
    return { body: show(held) };
  }

  function urnOf({ config }: HeldFunction): string {
    return String(config.func_urn).replace(/:latest$/, '');
  }

  function configure(held: HeldFunction, body: Body): void {
    const { log_config: log, encrypted_user_data: _, func_code: __, ...rest } = body;
    Object.assign(held.config, rest);
    if (log) {
      const { group_id, stream_id } = log as Record<string, string>;
      Object.assign(held.config, { log_group_id: group_id, log_stream_id: stream_id });
    }
  }

  function zipOf(body: Body): Buffer {
    return Buffer.from(String((body.func_code as { file?: string }).file), 'base64');
  }

  async function setCode(held: HeldFunction, zip: Buffer): Promise<void> {
    await (await held.unpacked)?.remove();
    held.unpacked = null;
    held.zip = zip;
    held.config.code_size = zip.length;
    held.config.digest = createHash('sha512').update(zip).digest('hex');
    held.config.last_modified = new Date().toISOString();
  }

  function show(held: HeldFunction): Body {
    return { ...held.config, encrypted_user_data: '' };
  }

  async function run(held: HeldFunction, event: object): Promise<RunOutcome> {
    held.unpacked ??= unpackFunction(held.zip, options.nodePath);
    const { config } = held;
    const unpacked = await held.unpacked;
    return unpacked.run({
      event,
      handler: String(config.handler),
      requestId: randomUUID(),
      functionName: String(config.func_name),
      memorySize: Number(config.memory_size),
      timeoutMs: Math.min(Number(config.timeout) * 1_000, options.timeoutMs ?? 900_000),
      agency: config.xrole ? (options.agency ?? null) : null,
      userData: { ...JSON.parse(String(config.user_data || '{}')), ...held.encrypted },
    });
  }

  async function invoke(held: HeldFunction, event: Body) {
    const outcome = await run(held, event);
    const id = randomUUID();
    const body = {
      request_id: id,
      result: JSON.stringify(
        outcome.ok ? outcome.result : { errorMessage: outcome.error?.message },
      ),
      log: outcome.log.slice(-2_000),
      status: outcome.ok ? 200 : 500,
    };
    const summary = {
      duration: outcome.durationMs,
      billingDuration: Math.ceil(outcome.durationMs),
      memorySize: held.config.memory_size,
      memoryUsed: outcome.peakBytes / 2 ** 20,
    };
    return {
      body,
      headers: { 'X-Cff-Request-Id': id, 'X-Cff-Invoke-Summary': JSON.stringify(summary) },
    };
  }

  async function fireTimers(name?: string): Promise<RunOutcome[]> {
    const outcomes: RunOutcome[] = [];
    for (const held of functions.values()) {
      for (const trigger of held.triggers) {
        if (trigger.trigger_status !== 'ACTIVE') continue;
        if (name !== undefined && trigger.event_data.name !== name) continue;
        outcomes.push(await runAsync(held, trigger));
      }
    }
    return outcomes;
  }

  /** Retries like the service, by default three times. Only the last failure goes to the failure destination. */
  async function runAsync(held: HeldFunction, trigger: Trigger): Promise<RunOutcome> {
    const started = new Date().toISOString();
    const event = {
      version: 'v2.0',
      time: started,
      trigger_type: 'TIMER',
      trigger_name: trigger.event_data.name,
      user_event: trigger.event_data.user_event ?? '',
    };
    let left = Number(held.async?.max_async_retry_attempts ?? 3);
    let outcome = await run(held, event);
    for (; !outcome.ok && left > 0 && functions.has(urnOf(held)); left -= 1)
      outcome = await run(held, event);
    held.invocations.unshift({
      request_id: randomUUID(),
      status: outcome.ok ? 'SUCCESS' : 'FAIL',
      error_message: outcome.error?.message ?? '',
      start_time: started,
      end_time: new Date().toISOString(),
    });
    const config = held.async?.destination_config as
      | { on_failure?: { destination: string; param: string } }
      | undefined;
    if (!outcome.ok && config?.on_failure) {
      double.delivered.push({ ...config.on_failure, error: outcome.error?.message ?? '' });
    }
    return outcome;
  }

  async function stop(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    for (const held of functions.values()) await (await held.unpacked)?.remove();
  }

  return double;
}
