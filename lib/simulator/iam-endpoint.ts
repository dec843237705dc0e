// Responsible for the two IAM routes: projects and tokens. Not responsible for checking keys and passwords.

import type { Authentication } from './authentication.ts';
import type { Exchange } from './http-transport.ts';
import {
  buildGatewayError,
  buildJson,
  buildKeystoneError,
  type ResponseContent,
} from './response-bodies.ts';
import type { Identity } from './simulator-options.ts';

/** Every route except the two is answered with 404. */
export function createIamEndpoint(identity: Identity, authentication: Authentication) {
  return ({ received, url, requestId }: Exchange): ResponseContent => {
    const route = `${received.method} ${url.pathname.replace(/\/$/, '')}`;
    if (route === 'GET /v3/projects') {
      const result = authentication.authenticate(received);
      return result.ok ? answerProjects(identity, url) : buildGatewayError(result.error, requestId);
    }
    if (route === 'POST /v3/auth/tokens') {
      return answerToken(identity, authentication, received.body);
    }
    const message = 'The API does not exist or has not been published in the environment.';
    return buildGatewayError({ status: 404, code: 'APIGW.0101', message }, requestId);
  };
}

function domainIdOf(identity: Identity): string {
  return `d0${identity.projectId.slice(2)}`;
}

/** Source of the shape: the API reference of 2021-12-23, section A.3; read 2026-11-24. */
function answerProjects(identity: Identity, url: URL): ResponseContent {
  const name = url.searchParams.get('name');
  const self = `${url.origin}/v3/projects`;
  const project = {
    domain_id: domainIdOf(identity),
    is_domain: false,
    parent_id: domainIdOf(identity),
    name: identity.region,
    description: '',
    links: { next: null, previous: null, self: `${self}/${identity.projectId}` },
    id: identity.projectId,
    enabled: true,
  };
  const projects = name === null || name === identity.region ? [project] : [];
  const links = { next: null, previous: null, self };
  return buildJson(200, JSON.stringify({ projects, links }));
}

/** 201 with the token in X-Subject-Token, or an error in Keystone's form. */
function answerToken(
  identity: Identity,
  authentication: Authentication,
  bytes: Uint8Array,
): ResponseContent {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return buildKeystoneError(400, 'Bad Request', 'The request body is not JSON.');
  }
  const issued = authentication.issueToken(body);
  if (!issued.ok) {
    const title = issued.status === 401 ? 'Unauthorized' : 'Bad Request';
    return buildKeystoneError(issued.status, title, issued.message);
  }
  const domain = { id: domainIdOf(identity), name: identity.iamDomain };
  const token = {
    expires_at: formatKeystoneTime(issued.expiresAtMs),
    issued_at: formatKeystoneTime(issued.issuedAtMs),
    methods: ['password'],
    catalog: [],
    roles: [],
    project: { id: identity.projectId, name: identity.region, domain },
    user: { id: 'd1'.padEnd(32, '0'), name: identity.iamUser, domain },
  };
  return buildJson(201, JSON.stringify({ token }), { 'X-Subject-Token': issued.token });
}

/** Keystone writes microseconds. */
function formatKeystoneTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '000Z');
}
