// Responsible for the rules about host names: which are this host itself, and which are reached without the proxy.

import { BlockList, isIP } from 'node:net';

/** True for this host: 127.0.0.0/8, ::1 and localhost. `hostname` as URL returns it. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/**
 * Whether a request to this address goes through the proxy in HTTPS_PROXY. Plain http does not: it is for loopback only.
 * `noProxy` is a list separated by commas or spaces. Each entry is `*`, a host name (its subdomains match too, with or
 * without a dot or `*.` in front), an IP address or a CIDR range. Host names and addresses may have a port.
 */
export function usesProxy(address: string | URL, noProxy: string | null): boolean {
  const { protocol, hostname, port } = new URL(address);
  if (protocol !== 'https:') return false;
  const host = withoutRoot(hostname);
  const entries = (noProxy ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  return !entries.some((entry) => matches(entry, host, port || '443'));
}

/** A name may end in the dot of the DNS root. */
function withoutRoot(name: string): string {
  return name.replace(/\.$/, '');
}

function matches(entry: string, hostname: string, port: string): boolean {
  if (entry === '*') return true;
  const [, address = '', bits] = /^\[?([^\]/]+)\]?(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  if (isIP(address)) return isInRange(hostname, address, bits);
  const [, name = '', entryPort = port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== port) return false;
  const bare = withoutRoot(name).replace(/^\*?\./, '');
  return hostname === bare || hostname.endsWith(`.${bare}`);
}

/** `bits` undefined: exactly this address. */
function isInRange(hostname: string, address: string, bits: string | undefined): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== isIP(address)) return false;
  const [family, bitsMax] =
    isIP(address) === 4 ? (['ipv4', 32] as const) : (['ipv6', 128] as const);
  const list = new BlockList();
  if (bits === undefined) list.addAddress(address, family);
  else if (Number(bits) <= bitsMax) list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}
