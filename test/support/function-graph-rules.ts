// Responsible for the requests that FunctionGraph rejects, for its test double. Shares no code with lib/deploy, because
// shared code would accept its own mistakes.
// Sources, read 2026-11-24: FunctionGraph API Reference ("Creating a Function", "Modifying the Metadata of a Function", "Creating a
// Trigger", "Error Codes"), User Guide ("Cron Expressions for a Function Timer Trigger", "Notes and Constraints"), and the
// models of @huaweicloud/huaweicloud-sdk-functiongraph 3.1.211.

export interface Rejection {
  status: number;
  code: string;
  message: string;
}

type Body = Readonly<Record<string, unknown>>;

function reject(status: number, code: string, message: string): Rejection {
  return { status, code, message };
}

const configFields =
  'func_name runtime timeout handler memory_size gpu_memory gpu_type user_data encrypted_user_data xrole app_xrole description func_vpc peering_cidr mount_config strategy_config custom_image extend_config initializer_handler initializer_timeout pre_stop_handler pre_stop_timeout ephemeral_storage enterprise_project_id log_config network_controller is_stateful_function enable_dynamic_memory enable_auth_in_header domain_names restore_hook_handler restore_hook_timeout heartbeat_handler enable_class_isolation enable_lts_log lts_custom_tag user_data_encrypt_kms_key_id';
const createFields =
  'func_name package runtime timeout handler depend_version_list func_vpc memory_size gpu_memory gpu_type code_type code_url code_filename custom_image user_data encrypted_user_data xrole app_xrole description func_code mount_config initializer_handler initializer_timeout pre_stop_handler pre_stop_timeout enterprise_project_id type log_config network_controller is_stateful_function enable_dynamic_memory enable_lts_log lts_custom_tag user_data_encrypt_kms_key_id code_encrypt_kms_key_id domain_names tags';
const codeFields =
  'code_type code_url code_filename func_code depend_version_list code_encrypt_kms_key_id';

const runtimes = new Set(
  'Java8 Java11 Java17 Python2.7 Python3.6 Python3.9 Python3.10 Go1.x Node.js6.10 Node.js8.10 Node.js10.16 Node.js12.13 Node.js14.18 Node.js16.17 Node.js18.15 Node.js20.15 Custom PHP7.3 http'.split(
    ' ',
  ),
);
const memorySizes = new Set([
  128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096,
]);
const zipMaxBytes = 50 * 1024 * 1024;

function findUnknown(body: Body, fields: string): Rejection | null {
  const known = new Set(fields.split(' '));
  const unknown = Object.keys(body).find((name) => !known.has(name));
  return unknown === undefined ? null : reject(400, 'FSS.0400', `Invalid parameter. (${unknown})`);
}

export function checkCreate(body: Body): Rejection | null {
  const unknown = findUnknown(body, createFields);
  if (unknown) return unknown;
  if (!/^[A-Za-z][\w-]{0,59}$/.test(String(body.package ?? ''))) {
    return reject(400, 'FSS.1004', 'Invalid function package.');
  }
  return checkSettings(body) ?? checkCode(pick(body, codeFields));
}

export function checkConfig(body: Body): Rejection | null {
  return findUnknown(body, configFields) ?? checkSettings(body);
}

function pick(body: Body, fields: string): Body {
  const known = new Set(fields.split(' '));
  return Object.fromEntries(Object.entries(body).filter(([name]) => known.has(name)));
}

function checkSettings(body: Body): Rejection | null {
  const { func_name: name, runtime, timeout, handler, memory_size: memory } = body;
  if (!/^[A-Za-z]([\w-]{0,58}[A-Za-z0-9])?$/.test(String(name ?? ''))) {
    return reject(400, 'FSS.1002', 'Invalid function name.');
  }
  if (!runtimes.has(String(runtime))) return reject(400, 'FSS.1005', 'Invalid runtime.');
  if (!Number.isInteger(timeout) || Number(timeout) < 3 || Number(timeout) > 900) {
    return reject(400, 'FSS.1008', 'Invalid function timeout.');
  }
  if (!/^[\w-]+\.[\w-]+$/.test(String(handler ?? '')) || String(handler).length > 128) {
    return reject(400, 'FSS.1003', 'Invalid function handler.');
  }
  if (!memorySizes.has(Number(memory))) return reject(400, 'FSS.1007', 'Invalid function memory.');
  if (String(body.description ?? '').length > 512) {
    return reject(400, 'FSS.0400', 'Invalid parameter. (description)');
  }
  const vpc = body.func_vpc as { vpc_id?: string; subnet_id?: string } | undefined;
  if (vpc && (!vpc.vpc_id || !vpc.subnet_id || !body.xrole)) {
    return reject(400, 'FSS.0400', 'Invalid parameter. (func_vpc)');
  }
  const log = body.log_config as { group_id?: string; stream_id?: string } | undefined;
  if (log && (!log.group_id || !log.stream_id)) {
    return reject(400, 'FSS.0400', 'Invalid parameter. (log_config)');
  }
  return checkVariables(body);
}

function checkVariables(body: Body): Rejection | null {
  let chars = 0;
  for (const field of ['user_data', 'encrypted_user_data']) {
    if (body[field] === undefined) continue;
    let variables: unknown;
    try {
      variables = JSON.parse(String(body[field]));
    } catch {
      return reject(400, 'FSS.1009', 'Invalid environment variable.');
    }
    const entries = Object.entries(variables as object);
    const isValid = entries.every(
      ([name, value]) => /^[A-Za-z]\w*$/.test(name) && typeof value === 'string',
    );
    if (Array.isArray(variables) || !isValid) {
      return reject(400, 'FSS.1009', 'Invalid environment variable.');
    }
    chars += String(body[field]).length;
  }
  if (chars <= 4_096) return null;
  return reject(400, 'FSS.1018', 'The total size of environment variables exceeds the maximum.');
}

export function checkCode(body: Body): Rejection | null {
  const unknown = findUnknown(body, codeFields);
  if (unknown) return unknown;
  if (body.code_type !== 'zip') return reject(400, 'FSS.1006', 'Invalid function code entry mode.');
  if (!body.code_filename) return reject(400, 'FSS.0400', 'Invalid parameter. (code_filename)');
  const file = (body.func_code as { file?: unknown } | undefined)?.file;
  if (typeof file !== 'string' || file === '') {
    return reject(400, 'FSS.1012', 'The function code cannot be left blank.');
  }
  const zip = Buffer.from(file, 'base64');
  if (zip.length > zipMaxBytes) return reject(413, 'FSS.0413', 'The request body is too large.');
  if (zip.readUInt32LE(0) !== 0x04034b50) return reject(400, 'FSS.1011', 'Invalid function code.');
  return null;
}

/** `names`: the names of the function's triggers. */
export function checkTrigger(body: Body, names: readonly string[]): Rejection | null {
  const bad = (what: string) => reject(400, 'FSS.0400', `Invalid parameter. (${what})`);
  const unknown = findUnknown(body, 'trigger_type_code trigger_status event_type_code event_data');
  if (unknown) return unknown;
  // The double supports only timers.
  if (body.trigger_type_code !== 'TIMER') return bad('trigger_type_code');
  if (!['ACTIVE', 'DISABLED', undefined].includes(body.trigger_status as string)) {
    return bad('trigger_status');
  }
  const data = (body.event_data ?? {}) as Body;
  const strange = findUnknown(data, 'name schedule_type schedule user_event');
  if (strange) return strange;
  const name = String(data.name ?? '');
  if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) return bad('event_data.name');
  if (names.includes(name)) {
    return reject(409, 'FSS.0409', 'The specified resource already exists.');
  }
  if (String(data.user_event ?? '').length > 2_048) return bad('event_data.user_event');
  const schedule = String(data.schedule ?? '');
  const isValid =
    (data.schedule_type === 'Rate' && isRate(schedule)) ||
    (data.schedule_type === 'Cron' && isCron(schedule));
  return isValid ? null : bad('event_data.schedule');
}

function isRate(text: string): boolean {
  const count = Number.parseInt(text, 10);
  if (text !== `${count}${text.slice(-1)}` || count < 1) return false;
  const most: Record<string, number> = { m: 60, h: 24, d: 30 };
  return count <= (most[text.slice(-1)] ?? 0);
}

function isCron(text: string): boolean {
  if (/^@every (\d+(\.\d+)?(ns|µs|us|ms|s|m|h))+$/.test(text)) return true;
  const day = '(sun|mon|tue|wed|thu|fri|sat|[0-6])';
  const month = '(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|1[0-2]|0?[1-9])';
  const field = (value: string, other = '') => {
    const item = `(\\*${other}|${value}(-${value})?)(/[1-9]\\d?)?`;
    return `${item}(,${item})*`;
  };
  const sixty = '([0-5]?\\d)';
  const parts = [
    field(sixty),
    field(sixty),
    field('(2[0-3]|[01]?\\d)'),
    field('(3[01]|[12]\\d|0?[1-9])', '|\\?'),
    field(month),
    field(day, '|\\?'),
  ];
  const pattern = `^(CRON_TZ=\\S+ )?${parts.slice(0, 5).join(' ')}( ${parts[5]})?$`;
  return new RegExp(pattern, 'i').test(text);
}

export function checkTriggerUpdate(body: Body): Rejection | null {
  const unknown = findUnknown(body, 'trigger_status event_data');
  if (unknown) return unknown;
  // UpdateriggerEventData (the SDK's spelling) has no field for a timer's schedule.
  const strange = findUnknown(
    (body.event_data ?? {}) as Body,
    'is_serial max_fetch_bytes polling_interval polling_unit',
  );
  if (strange) return strange;
  return ['ACTIVE', 'DISABLED'].includes(body.trigger_status as string)
    ? null
    : reject(400, 'FSS.0400', 'Invalid parameter. (trigger_status)');
}

export function checkAsync(body: Body): Rejection | null {
  const bad = (what: string) => reject(400, 'FSS.0400', `Invalid parameter. (${what})`);
  const unknown = findUnknown(
    body,
    'max_async_event_age_in_seconds max_async_retry_attempts destination_config enable_async_status_log log_group_id log_stream_id log_group_name log_stream_name',
  );
  if (unknown) return unknown;
  const { max_async_retry_attempts: tries } = body;
  if (!Number.isInteger(tries) || Number(tries) < 0 || Number(tries) > 8) {
    return bad('max_async_retry_attempts');
  }
  const { max_async_event_age_in_seconds: age } = body;
  if (!Number.isInteger(age) || Number(age) < 1 || Number(age) > 86_400) {
    return bad('max_async_event_age_in_seconds');
  }
  const config = (body.destination_config ?? {}) as Record<string, Body>;
  for (const side of [config.on_success, config.on_failure]) {
    if (!side) continue;
    if (!['OBS', 'SMN', 'DIS', 'FunctionGraph'].includes(String(side.destination))) {
      return bad('destination');
    }
    try {
      JSON.parse(String(side.param));
    } catch {
      return bad('param');
    }
  }
  return null;
}

export function checkInstances(body: Body): Rejection | null {
  const { max_instance_num: count } = body;
  const isValid = Number.isInteger(count) && Number(count) >= -1 && Number(count) <= 1_000;
  return isValid && Object.keys(body).length === 1
    ? null
    : reject(400, 'FSS.0400', 'Invalid parameter. (max_instance_num)');
}
