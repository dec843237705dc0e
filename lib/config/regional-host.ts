// Responsible for Huawei Cloud's host names: which host a service has in a region, and which region a host name names.

/** EU regions end in `.eu`: so do the HSS endpoints read 2026-11-24. Assumed: IAM and OBS there do as well. */
export function hostOf(service: string, region: string): string {
  return `https://${service}.${region}.myhuaweicloud.${region.startsWith('eu-') ? 'eu' : 'com'}`;
}

/**
 * The region in `<service>.<region>.myhuaweicloud.com`, or null: other hosts (this host, proxies, private names, global
 * services) name none. `hostname` as URL returns it. Assumed: the names of regions have the form of `cn-north-4`.
 */
export function regionOf(hostname: string): string | null {
  const named = /\.([a-z]{2}-[a-z]+-\d+)\.myhuaweicloud\.(?:com|eu)\.?$/.exec(hostname);
  return named?.[1] ?? null;
}

/** True for the service's own hosts, in any region. */
export function isServiceHost(hostname: string): boolean {
  return /^(?:cgs|hss)\.[a-z0-9-]+\.myhuaweicloud\.(?:com|eu)\.?$/.test(hostname);
}
