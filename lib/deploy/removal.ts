// Owns the removal of a function and its triggers. Refuses to touch what it wrote, and where.

import { ExportError } from '../core/errors.ts';
import type { DeployPorts } from './deployment.ts';
import type { FunctionGraph } from './function-graph.ts';
import type { Step } from './steps.ts';

export interface Removal {
  done: string[];
  notDone: string[];
  error: ExportError | null;
}

/**
 * Nothing done and no error: there was nothing. Triggers go first, so that nothing fires into what is being removed. Whoever gets
 * no answer does not know: then what is still there is read.
 */
export async function removeFunction(
  { api, progress }: DeployPorts,
  urn: string,
): Promise<Removal> {
  const done: string[] = [];
  let left = await planRemoval(api, urn);
  for (let step = left[0]; step; step = left[0]) {
    const { id, what } = step;
    progress(`${what} of ${urn}`);
    try {
      await step.run();
      done.push(what);
      left = left.slice(1);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      const there = await planRemoval(api, urn).catch(() => null);
      if (there === null) {
        const [first = '', ...others] = left.map((one) => one.what);
        return { done, notDone: [`${first} (or it was: nobody answers)`, ...others], error };
      }
      const ids = new Set(there.map((one) => one.id));
      done.push(...left.filter((one) => !ids.has(one.id)).map((one) => one.what));
      left = there;
      if (ids.has(id)) return { done, notDone: left.map((one) => one.what), error };
    }
  }
  return { done, notDone: [], error: null };
}

async function planRemoval(api: FunctionGraph, urn: string): Promise<Step[]> {
  if ((await api.findFunction(urn)) === null) return [];
  const steps = (await api.listTriggers(urn)).map(
    (trigger): Step => ({
      id: trigger.trigger_id,
      what: `trigger ${trigger.event_data.name ?? trigger.trigger_id}`,
      run: () => api.deleteTrigger(urn, trigger),
    }),
  );
  return [...steps, { id: 'function', what: 'function', run: () => api.deleteFunction(urn) }];
}
