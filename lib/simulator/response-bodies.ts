// Responsible for the form of the responses of the gateway and the service. Not responsible for choosing a response.

import type { Fault } from './faults.ts';

/** X-Request-Id and Date are added when the response is sent. */
export interface ResponseContent {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** Pieces are sent one after the other, without Content-Length. They cannot be combined with a fault. */
  body: string | Iterable<string>;
  /** Disturbs how the response is sent. */
  fault?: Fault;
}

/** The service's own errors (HSS.nnnn) have this form too, because they come through the gateway. */
export interface GatewayError {
  status: number;
  code: string;
  message: string;
}

export function buildJson(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ResponseContent {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body };
}

export function buildGatewayError(
  { status, code, message }: GatewayError,
  requestId: string,
  retryAfterSeconds?: number,
): ResponseContent {
  const body = { error_msg: message, error_code: code, request_id: requestId };
  const headers =
    retryAfterSeconds === undefined ? undefined : { 'Retry-After': String(retryAfterSeconds) };
  return buildJson(status, JSON.stringify(body), headers);
}

/** `quotaText`: from describeQuota. */
export function throttlingError(quotaText: string): GatewayError {
  const message = `The throttling threshold has been reached: policy user over ratelimit,${quotaText}`;
  return { status: 429, code: 'APIGW.0308', message };
}

const badGatewayHtml =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n';

/** Null: the response is the normal page; the fault only disturbs how it is sent. */
export function buildFaultResponse(
  { kind, retryAfterSeconds }: Fault,
  quotaText: string,
  requestId: string,
): ResponseContent | null {
  switch (kind) {
    case '429':
      return buildGatewayError(throttlingError(quotaText), requestId, retryAfterSeconds);
    case '500': {
      const message = 'Query host extend info error';
      return buildGatewayError({ status: 500, code: 'HSS.0041', message }, requestId);
    }
    case '503': {
      const message = 'The IAM service is currently unavailable.';
      const error = { status: 503, code: 'APIGW.0613', message };
      return buildGatewayError(error, requestId, retryAfterSeconds);
    }
    case '502html':
      return { status: 502, headers: { 'Content-Type': 'text/html' }, body: badGatewayHtml };
    case 'reset':
      // Nothing is sent, so no page is built.
      return buildJson(200, '');
    case 'null':
      return buildJson(200, 'null');
    case 'wrongShape':
      return buildJson(200, '{"total_num":"many","data_list":{}}');
    case 'truncated':
    case 'brokenJson':
    case 'slow':
      return null;
  }
}
