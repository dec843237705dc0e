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
  const triggers = await api.listTriggers(urn);
  const steps = triggers.map((trigger) => ({
    label: `remove trigger ${trigger.event_data.name ?? trigger.trigger_id}`,
    run: () => api.deleteTrigger(urn, trigger),
  }));
  steps.push({ label: 'remove function', run: () => api.deleteFunction(urn) });
  const labels = steps.map(({ label }) => label);
  for (const [index, { label, run }] of steps.entries()) {
    progress(`${urn}: ${label}`);
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      const isKnown = await api.findFunction(urn).then(
        () => true,
        () => false,
      );
      const failed = isKnown ? label : `${label} (outcome unknown: no answer)`;
      const notDone = [failed, ...labels.slice(index + 1)];
      return { done: labels.slice(0, index), notDone, error };
    }
  }
  return { done: labels, notDone: [], error: null };
}
