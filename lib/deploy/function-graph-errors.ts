// Responsible for turning errors of the vendor's SDK into errors with a code, a request id and a hint.

import {
  AuthError,
  configFault,
  ExportError,
  ProtocolError,
  TransientError,
} from '../core/errors.ts';

/** What the SDK throws. `httpStatusCode` is missing when no response arrived. */
interface SdkException {
  httpStatusCode?: number;
  errorCode?: string;
  errorMsg?: string;
  requestId?: string;
  message?: string;
}

const messageMaxChars = 500;

/** Error code → setting in serverless.yml. Source: FunctionGraph API Reference, "Error Codes", read 2026-11-24. */
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

const notFromFunctionGraph =
  'Check the endpoint and the proxy: this response does not come from FunctionGraph.';

const notFoundCodes = new Set(['FSS.0404', 'FSS.0410', 'FSS.1051']);

/** The SDK exception becomes the `cause`. `operation`: the API's name of the call, such as `CreateFunction`. */
export function describeApiError(
  operation: string,
  error: unknown,
  scrub: (text: string) => string = (text) => text,
): ExportError {
  const cause = error as SdkException;
  const { httpStatusCode: status, errorCode, errorMsg, requestId } = cause;
  const details = typeof errorMsg === 'string' ? errorMsg : (cause.message ?? '');
  const code = errorCode ?? (status ? `HTTP_${status}` : 'NETWORK');
  // Scrub before cutting: the scrubber does not recognise half a secret.
  const text = scrub(String(details)).slice(0, messageMaxChars);
  const message = `${operation}: ${code} ${text}${requestId ? ` (request id ${requestId})` : ''}`;
  if (status === 401 || status === 403) {
    const hint =
      'Check the key and the project. Deploying needs FunctionGraph FullAccess; setting an agency also needs iam:agencies:pass.';
    return new AuthError(code, message, hint, { cause });
  }
  if (status === undefined || status === 429 || status >= 500) {
    const first = status ? 'Wait a few minutes' : 'Check the network, the region and the endpoint';
    const hint = `${first}, then run the same command again. It skips the steps that are done.`;
    return new TransientError(code, message, hint, { cause });
  }
  const setting = settingOf[code];
  if (setting !== undefined) {
    const hint = `Change ${setting} of the function in serverless.yml.`;
    return Object.assign(configFault(setting, message, hint), { cause });
  }
  return new ProtocolError(code, message, hintFor(status, errorCode), { cause });
}

function hintFor(status: number, errorCode: string | undefined): string {
  if (errorCode === undefined) return notFromFunctionGraph;
  if (status === 404) {
    return 'Check the region and the project. `serverless info` shows whether the function is deployed, `serverless deploy` creates it.';
  }
  return 'Look up the code in the FunctionGraph API Reference, "Error Codes", and change serverless.yml.';
}

/** For a response with status 200 that is not the API's. */
export function unexpectedResponse(message: string): ProtocolError {
  return new ProtocolError('UNEXPECTED_ANSWER', message, notFromFunctionGraph);
}

/** HTTP status of an error from describeApiError; null if no response arrived. */
export function statusOf({ cause }: ExportError): number | null {
  return (cause as SdkException | undefined)?.httpStatusCode ?? null;
}

/** The API's own code of an error from describeApiError; null for other errors and for responses without one. */
export function apiCodeOf(error: unknown): string | null {
  if (!(error instanceof ExportError) || statusOf(error) === null) return null;
  return (error.cause as SdkException).errorCode ?? null;
}

/** False for a 404 without the API's code: it may come from a proxy. */
export function isNotFound(error: unknown): boolean {
  return notFoundCodes.has(apiCodeOf(error) ?? '');
}
