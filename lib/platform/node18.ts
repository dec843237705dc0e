// Responsible for functions of Node.js that FunctionGraph's Node 18.15 does not have. Import it before all other modules. On newer
// versions it does nothing.
// Source: Node.js documentation, diagnostics_channel (tracingChannel since 18.19), url (URL.canParse since 18.17), read 2026-11-24.

import channels from 'node:diagnostics_channel';

/** pino 10 opens a tracing channel when it is loaded. It does not trace a channel without subscribers. */
export function addTracingChannel(target: Partial<typeof channels>): void {
  const silent = { hasSubscribers: false };
  target.tracingChannel ??= (() => silent) as unknown as typeof channels.tracingChannel;
}

export function addCanParse(target: Partial<Pick<typeof URL, 'canParse'>>): void {
  target.canParse ??= (url, base) => {
    try {
      return new URL(String(url), base === undefined ? undefined : String(base)) instanceof URL;
    } catch {
      return false;
    }
  };
}

addTracingChannel(channels);
addCanParse(URL);
