// Owns what this program and its packages miss on FunctionGraph's Node 18.15. Imported first, or not at all: it does nothing elsewhere.
// Source: Node.js documentation, diagnostics_channel (tracingChannel since 18.19), url (URL.canParse since 18.17), read 2026-11-24.

import channels from 'node:diagnostics_channel';

/** pino 10 asks for a tracing channel when it is loaded. One without subscribers is never traced. */
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
