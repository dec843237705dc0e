// Owns the removal of a function and its triggers. Refuses to touch what it wrote, and where.

import { ExportError } from '../errors.ts';
import type { DeployPorts } from './deployment.ts';

export interface Removal {
  done: string[];
  notDone: string[];
  error: ExportError | null;
}

/** Nothing done and no error: there was nothing. Triggers go first, so that nothing fires into what is being removed. */
export async function removeFunction(
  { api, progress }: DeployPorts,
  urn: string,
): Promise<Removal> {
  if ((await api.findFunction(urn)) === null) return { done: [], notDone: [], error: null };
  const steps = (await api.listTriggers(urn)).map((trigger) => ({
    what: `trigger ${trigger.event_data.name ?? trigger.trigger_id}`,
    run: () => api.deleteTrigger(urn, trigger),
  }));
  steps.push({ what: 'function', run: () => api.deleteFunction(urn) });
  const done: string[] = [];
  for (const { what, run } of steps) {
    progress(`${what} of ${urn}`);
    try {
      await run();
      done.push(what);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      return { done, notDone: steps.slice(done.length).map((step) => step.what), error };
    }
  }
  return { done, notDone: [], error: null };
}
