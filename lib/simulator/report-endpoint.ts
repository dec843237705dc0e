// Responsible for the simulator's own reports: counts, changes and current lists. They are not a part of the service: they
// need no key, use no quota, and are neither counted nor logged.

import type { Account } from './accounts.ts';
import type { LoggedChange } from './change-log.ts';
import type { NodeList } from './node-list.ts';
import { buildJson, type ResponseContent } from './response-bodies.ts';

interface Reported {
  accounts: readonly Account[];
  counts: () => object;
  listOf: (projectId: string) => NodeList;
  clustersOf: (projectId: string) => NodeList;
  changes: { kept: () => readonly LoggedChange[]; dropped: () => number };
}

/** Nodes in one piece of an answer. */
const nodesPerPiece = 500;

/** Null: not a path of the reports. A project is chosen with `?project_id=`; default: the first one, or all of them. */
export function createReportEndpoint({ accounts, counts, listOf, clustersOf, changes }: Reported) {
  const projects = accounts.flatMap((account) =>
    account.projects.map((project) => ({ account, ...project })),
  );

  function describeCounts(): string {
    return JSON.stringify({
      ...counts(),
      changesDropped: changes.dropped(),
      projects: projects.map(({ account, region, id }) => ({
        ...{ account: account.name, region, projectId: id, nodes: listOf(id).length },
      })),
    });
  }

  function* listChanges(wanted: string | null): Generator<string> {
    // A copy: the log can grow while the answer is sent.
    for (const { atMs, kind, hostId, ...change } of [...changes.kept()]) {
      if (wanted !== null && wanted !== change.projectId) continue;
      const line = { at: new Date(atMs).toISOString(), change: kind, host_id: hostId, ...change };
      yield `${JSON.stringify(line)}\n`;
    }
  }

  function* listNodes(list: NodeList): Generator<string> {
    for (let start = 0; start < list.length; start += nodesPerPiece) {
      const nodes = list.slice(start, start + nodesPerPiece);
      yield nodes.map((node) => `${JSON.stringify(node)}\n`).join('');
    }
  }

  return (method: string | undefined, url: URL): ResponseContent | null => {
    const [, report] = (method === 'GET' && /^\/simulator\/(\w+)$/.exec(url.pathname)) || [];
    const wanted = url.searchParams.get('project_id');
    const project = projects.find(({ id }) => wanted === null || id === wanted);
    if (report === undefined || !project) return null;
    if (report === 'statistics') return buildJson(200, describeCounts());
    const headers = { 'Content-Type': 'application/x-ndjson' };
    if (report === 'changes') return { status: 200, headers, body: listChanges(wanted) };
    if (report === 'nodes') return { status: 200, headers, body: listNodes(listOf(project.id)) };
    if (report === 'clusters') {
      return { status: 200, headers, body: listNodes(clustersOf(project.id)) };
    }
    return null;
  };
}
