// Owns the bodies the gateway, the service and IAM answer with. Refuses to decide which one.

import type { Fault } from './faults.ts';

/** What goes over the wire, request id and date apart. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

export function answerJson(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body };
}

/** Also the service's own errors (HSS.nnnn), which come through the gateway. */
export function answerGatewayError(
  status: number,
  code: string,
  message: string,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = { error_msg: message, error_code: code, request_id: requestId };
  return answerJson(status, JSON.stringify(body), headers);
}

/** IAM's form, after Keystone. */
export function answerKeystoneError(status: number, title: string, message: string): Answer {
  return answerJson(status, JSON.stringify({ error: { code: status, message, title } }));
}

function answerHtml(status: number, title: string): Answer {
  const body = `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center><h1>${status} ${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
  return { status, headers: { 'Content-Type': 'text/html' }, body };
}

/** `quotaText` as describeQuota writes it. */
export function answerThrottled(
  quotaText: string,
  requestId: string,
  retryAfterSeconds: number | null,
): Answer {
  const message = `The throttling threshold has been reached: policy user over ratelimit,${quotaText}`;
  const headers = retryAfterSeconds === null ? {} : { 'Retry-After': String(retryAfterSeconds) };
  return answerGatewayError(429, 'APIGW.0308', message, requestId, headers);
}

/** Null: the fault is in how the page is sent, not in what. */
export function answerFault(fault: Fault, quotaText: string, requestId: string): Answer | null {
  const { kind, retryAfterSeconds } = fault;
  switch (kind) {
    case '429':
      return answerThrottled(quotaText, requestId, retryAfterSeconds ?? null);
    case '500':
      return answerGatewayError(500, 'HSS.0041', 'Query host extend info error', requestId);
    case '503': {
      const message = 'The IAM service is currently unavailable.';
      const headers =
        retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) };
      return answerGatewayError(503, 'APIGW.0613', message, requestId, headers);
    }
    case '502html':
      return answerHtml(502, 'Bad Gateway');
    case 'reset':
      // Nothing of it is sent; no page is cut for it either.
      return answerJson(200, '');
    case 'null':
      return answerJson(200, 'null');
    case 'wrongShape':
      return answerJson(200, '{"total_num":"many","data_list":{}}');
    case 'truncated':
    case 'brokenJson':
    case 'slow':
      return null;
  }
}
