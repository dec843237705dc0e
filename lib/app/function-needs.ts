// Responsible for what each function uses of the configuration, by the name of its file in functions/.

import type { ConfigOptions } from '../config/model.ts';

export type FunctionNeeds = Required<Pick<ConfigOptions, 'needs' | 'signs'>>;

export const functionNeeds = {
  collect: { needs: 'service', signs: true },
  prune: { needs: 'store', signs: true },
  report: { needs: 'store', signs: false },
  verify: { needs: 'store', signs: false },
} as const satisfies Record<string, FunctionNeeds>;

/** A function that is not listed needs everything. */
export function needsOf(name: string): FunctionNeeds {
  return Object.hasOwn(functionNeeds, name)
    ? functionNeeds[name as keyof typeof functionNeeds]
    : functionNeeds.collect;
}

/** Whether the function uses the setting `verify`. */
export function verifies({ needs, signs }: FunctionNeeds): boolean {
  return needs === 'store' && !signs;
}
