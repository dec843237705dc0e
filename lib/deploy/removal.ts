// Responsible for removing a function and its triggers. Not responsible for the data that the function wrote.

import { ExportError } from '../core/errors.ts';
import type { FunctionGraph } from './function-graph.ts';

export interface Removal {
  /** Empty without an error: there was no function. */
  done: string[];
  notDone: string[];
  error: ExportError | null;
}

/** Removes the triggers first, so that none starts the function during the removal. Errors before the first step are thrown. */
export async function removeFunction(
  api: FunctionGraph,
  urn: string,
  progress: (text: string) => void,
): Promise<Removal> {
  if ((await api.findFunction(urn)) === null) return { done: [], notDone: [], error: null };
  const steps = (await api.listTriggers(urn)).map((trigger) => ({
    label: `remove trigger ${trigger.event_data.name ?? trigger.trigger_id}`,
    run: () => api.deleteTrigger(urn, trigger),
  }));
  steps.push({ label: 'remove function', run: () => api.deleteFunction(urn) });
  const done: string[] = [];
  for (const { label, run } of steps) {
    progress(`${urn}: ${label}`);
    try {
      await run();
      done.push(label);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      const [failed, ...later] = steps.slice(done.length).map((step) => step.label);
      const answer = await api.findFunction(urn).catch(() => 'none' as const);
      const suffix = answer === 'none' ? ' (outcome unknown: no answer)' : '';
      return { done, notDone: [`${failed}${suffix}`, ...later], error };
    }
  }
  return { done, notDone: [], error: null };
}
