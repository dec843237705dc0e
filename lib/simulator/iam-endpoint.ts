// Owns IAM's two answers: projects and tokens. Refuses to check who asks: access.ts does.

import type { TokenAnswer } from './access.ts';
import { type Answer, answerJson, answerKeystoneError } from './responses.ts';
import type { Identity } from './simulator-options.ts';

function domainIdOf(identity: Identity): string {
  return `d0${identity.projectId.slice(2)}`;
}

/** Source of the shape: the API reference of 2021-12-23, A.3, read 2026-11-24. */
export function answerProjects(identity: Identity, target: URL): Answer {
  const name = target.searchParams.get('name');
  const self = `${target.origin}/v3/projects`;
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
  return answerJson(200, JSON.stringify({ projects, links }));
}

/** 201 with the token in X-Subject-Token, or an error in Keystone's form. */
export function answerToken(
  identity: Identity,
  issueToken: (body: unknown) => TokenAnswer,
  bytes: Uint8Array,
): Answer {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return answerKeystoneError(400, 'Bad Request', 'The request body is not JSON.');
  }
  const issued = issueToken(body);
  if (!issued.ok) {
    const title = issued.status === 401 ? 'Unauthorized' : 'Bad Request';
    return answerKeystoneError(issued.status, title, issued.message);
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
  return answerJson(201, JSON.stringify({ token }), { 'X-Subject-Token': issued.token });
}

/** Keystone writes microseconds. */
function formatKeystoneTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '000Z');
}
