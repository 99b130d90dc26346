/** The address of the HTTP server: `addr` in the configuration. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[IPv6]:port` or `:port`, which is this machine only. undefined for any other text. */
export function parseAddress(addr: string): Address | undefined {
  const match = /^(\[[^\]]+\]|[^:]*):(\d{1,5})$/.exec(addr);
  const port = Number(match?.[2] ?? Number.NaN);
  if (!(port <= 65_535)) return undefined;
  const host = (match?.[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port };
}
