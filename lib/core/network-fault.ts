// Responsible for what a network error code means, for every connection alike: the API, IAM and the store. Not responsible for
// finding the code in an error (network-code.ts).

/** What was tried to reach, for hints. */
export interface Place {
  /** Scheme, host and port of the address. */
  origin: string;
  /** The settings to check: "the target's endpoint and region". */
  settings: string;
  /** Host and port of the proxy, if it is the proxy that failed. Null: the place itself, or the way to it. */
  proxy: string | null;
}

export interface NetworkFault {
  /** Of the error to throw. `NETWORK`: the fault can pass by itself. Each other code needs a person. */
  code:
    | ('NETWORK' | 'HOST_NOT_FOUND' | 'CERTIFICATE_REFUSED' | 'TLS_FAILED' | 'PROXY_REFUSED')
    | 'HEADERS_TOO_LARGE';
  /** What happened in words, with the network error code: 'connection refused (ECONNREFUSED)'. */
  reason: string;
  hint: string;
  /** `briefly`: a few tries, because the fault rarely passes. */
  retry: 'soon' | 'briefly' | 'never';
  /** True: the proxy refused the login. A further try can lock it. */
  isLoginRefused: boolean;
}

/** The most tries of a fault that is retried `briefly`. */
export const briefTriesMax = 3;

const retryHint =
  'An export tries again by itself. If that does not help, start it again: it continues where it stopped.';
const directHint = 'To reach a host without the proxy, add it to NO_PROXY.';
const noSwitchHint = 'There is no setting that turns certificate verification off.';

type Row = readonly [
  codes: RegExp,
  words: string,
  code: NetworkFault['code'],
  retry: NetworkFault['retry'],
  hint: (place: Place) => string,
];

const connection = ({ proxy }: Place) =>
  proxy === null
    ? `Check the network, HTTPS_PROXY, NO_PROXY and the address. ${retryHint}`
    : `Check that the proxy ${proxy} works, and that HTTPS_PROXY names its host and port. ${directHint} ${retryHint}`;
const nameHint = ({ origin, settings, proxy }: Place) =>
  proxy === null
    ? `The host name of ${origin} does not resolve: check ${settings}, the DNS of this host, and whether a proxy is needed (HTTPS_PROXY).`
    : `The host name of the proxy ${proxy} does not resolve: check HTTPS_PROXY and the DNS of this host. ${directHint}`;
const clockHint = ({ origin }: Place) =>
  `Check the clock of this host. If it is right, the certificate of ${origin} must be renewed, or NODE_EXTRA_CA_CERTS names an old CA file. ${noSwitchHint}`;
const trustHint = ({ origin }: Place) =>
  `The certificate of ${origin} is not from a CA that this host trusts: set NODE_EXTRA_CA_CERTS to the file of the CA that signed it (your proxy's or your own server's). ${noSwitchHint}`;
const otherNameHint = ({ origin, settings }: Place) =>
  `The certificate is for another host name than that of ${origin}: check ${settings}. ${noSwitchHint}`;
const tlsHint = ({ origin, settings }: Place) =>
  `${origin} does not speak TLS as this host does: check ${settings}, that the port is not for plain http, and that no proxy interferes.`;
const headersHint = ({ settings }: Place) =>
  `This is not what was asked for: check ${settings}, and any proxy in between, then report it.`;
const loginHint = () =>
  'Check the user and password in HTTPS_PROXY (write %25 for a % in them), or add the host to NO_PROXY.';
const policyHint = ({ origin, proxy }: Place) =>
  `The proxy ${proxy ?? 'in HTTPS_PROXY'} does not connect to ${origin}: allow this host there, or add it to NO_PROXY.`;

/**
 * The first row that matches is used. `PROXY_407`: the proxy answered CONNECT with this status. `PROXY_ENDED`: it
 * answered nothing that is HTTP.
 * Sources: Node.js documentation, "Errors" and "TLS: X509 certificate error codes"; OpenSSL, ssl/ssl_err.c; read 2026-11-25.
 */
const table: readonly Row[] = [
  [/^PROXY_407$/, 'the proxy refused the login', 'PROXY_REFUSED', 'never', loginHint],
  [/^PROXY_(408|429|5\d\d|ENDED)$/, 'the proxy failed', 'NETWORK', 'soon', connection],
  [/^PROXY_/, 'the proxy refused the connection', 'PROXY_REFUSED', 'never', policyHint],
  [/^ENOTFOUND$/, 'there is no such host name', 'HOST_NOT_FOUND', 'briefly', nameHint],
  [/^EAI_/, 'the DNS does not answer', 'NETWORK', 'soon', nameHint],
  [
    /ALTNAME|HOSTNAME_MISMATCH/,
    'the certificate is for another host name',
    'CERTIFICATE_REFUSED',
    'never',
    otherNameHint,
  ],
  [
    /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|CRL_HAS_EXPIRED|CRL_NOT_YET_VALID)$/,
    'the certificate is not valid at this time',
    'CERTIFICATE_REFUSED',
    'never',
    clockHint,
  ],
  [
    /^CERT_|^CRL_|_CRL$|SELF_SIGNED|ISSUER|LEAF_SIGNATURE|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH|CERT_SIGNATURE|CERT_CHAIN|^ERROR_IN_CERT/,
    'the certificate is not trusted',
    'CERTIFICATE_REFUSED',
    'never',
    trustHint,
  ],
  // OpenSSL's other errors, such as a damaged record or a cut connection, can pass by themselves.
  [
    /^EPROTO$|^ERR_SSL_.*(WRONG_VERSION|VERSION_NUMBER|UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS|HANDSHAKE_FAILURE|NO_SHARED_CIPHER|NO_CIPHER|INSUFFICIENT_SECURITY|UNRECOGNIZED_NAME|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|DH_KEY_TOO_SMALL|EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL|CA_MD_TOO_WEAK|LEGACY_RENEGOTIATION|BAD_CERTIFICATE|CERTIFICATE_REQUIRED|UNKNOWN_CA)|^ERR_TLS_/,
    'the TLS connection failed',
    'TLS_FAILED',
    'never',
    tlsHint,
  ],
  [/^ECONNREFUSED$/, 'connection refused', 'NETWORK', 'soon', connection],
  [/^(ECONNRESET|EPIPE|ECONNABORTED)$/, 'connection lost', 'NETWORK', 'soon', connection],
  [/^ETIMEDOUT$/, 'no connection in time', 'NETWORK', 'soon', connection],
  [/^(ENETUNREACH|EHOSTUNREACH|ENETDOWN)$/, 'no route to the host', 'NETWORK', 'soon', connection],
  // Node's limit, see --max-http-header-size in its documentation.
  [
    /^HPE_HEADER_OVERFLOW$/,
    'the headers of the answer have more than 16 kB',
    'HEADERS_TOO_LARGE',
    'never',
    headersHint,
  ],
  [/^HPE_/, 'the answer is not HTTP', 'NETWORK', 'soon', connection],
  [/^EMSGSIZE$/, 'the answer is longer than expected', 'NETWORK', 'soon', connection],
  [/^Z_/, 'the answer is damaged', 'NETWORK', 'soon', connection],
  [/^/, 'the connection failed', 'NETWORK', 'soon', connection],
];

/** `networkCode` as readNetworkCode returns it. */
export function describeNetworkFault(networkCode: string, place: Place): NetworkFault {
  const row = table.find(([codes]) => codes.test(networkCode)) as Row;
  const [, words, code, retry, hint] = row;
  const { proxy } = place;
  // In the rows of PROXY_, the words name the proxy.
  const isAnswer = networkCode.startsWith('PROXY_');
  const named = proxy === null ? words : words.replace(/^the proxy\b/, `the proxy ${proxy}`);
  const subject =
    proxy === null || isAnswer ? named : `no connection to the proxy ${proxy}: ${words}`;
  const asked = { origin: `the proxy ${proxy}`, settings: 'HTTPS_PROXY', proxy };
  return {
    code,
    reason: `${subject} (${networkCode})`,
    hint: hint(proxy === null || isAnswer ? place : asked),
    retry,
    isLoginRefused: networkCode === 'PROXY_407',
  };
}
