// Responsible for connecting a command to its store and its targets, and for showing the progress of requests.

import { type Connection, connect } from '../app/connect.ts';
import { configFromFlags } from '../config/flags.ts';
import type { ConfigOptions } from '../config/model.ts';
import type { Store } from '../core/ports.ts';
import type { Progress } from '../runs/progress-event.ts';
import { createTracker } from './progress.ts';
import type { Session } from './session.ts';
import { pickOf, readConfig, type TargetOptions, toConfigFlags } from './target-options.ts';

/**
 * Reads the configuration and connects the targets that the options pick. Sends nothing. Throws ConfigError.
 * `needs` store: variables that only the API needs may be missing.
 */
export async function connectTargets(
  options: TargetOptions,
  { runtime, log, scrubber }: Session,
  needs: ConfigOptions['needs'] = 'service',
): Promise<Connection> {
  const config = await readConfig(options, runtime, needs);
  return connect(config, { log, scrubber, pick: pickOf(options) });
}

/** Shows the progress of `work`, which reports its events to the function that it is given. */
export function withProgress<T>(
  { quota, targets }: Connection,
  session: Session,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const pageLimit = Math.max(...targets.map(({ dataset }) => dataset.limit));
  const tracker = createTracker(quota, pageLimit);
  return session.showProgress(tracker.stateAt, () =>
    work((event) => tracker.observe(event, session.runtime.monotonicMs())),
  );
}

/**
 * Opens the store that --store names, without a configuration file, to read it. Throws ConfigError; also if the store
 * is a bucket and the environment has no key.
 */
export function openStoreByFlags(
  options: TargetOptions,
  { runtime, log, scrubber }: Session,
): Store {
  // A region is required, but reading a store does not use it beyond the default endpoint of a bucket.
  const flags = { region: 'cn-south-4', ...toConfigFlags(options) };
  const config = configFromFlags(flags, runtime.env, runtime.cwd, { needs: 'store' });
  return connect(config, { log, scrubber }).store;
}
