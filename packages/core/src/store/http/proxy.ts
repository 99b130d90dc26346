/**
 * Converts HTTPS_PROXY, HTTP_PROXY and NO_PROXY from the form that curl, Go and Python read to Node's.
 *
 *  HTTPS_PROXY           is
 *  http(s)://host:port   used
 *  host:port             used as http://host:port
 *  socks5://…, others    refused: Node does not support them, and would connect directly
 *
 *  NO_PROXY entry        matches
 *  example.com           that host, and those below it
 *  .example.com          the same (in Go: only those below it)
 *  *.example.com         those below it
 *  host:port             this port of this host
 *  10.0.0.0/8            these addresses
 *  *                     all hosts
 *
 * Entries are separated by commas or blanks. A lowercase variable overrides the uppercase one.
 */

import { ReplicationError } from '../../error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** This machine is never accessed through a proxy. */
const LOCALHOST = ['localhost', '127.0.0.1-127.255.255.255', '::1', '[::1]'];

/** Throws CONFIG_INVALID with the name of the variable if it names an invalid proxy. */
export function proxyEnvironment(env: Environment): Record<string, string> {
  const [, noProxy = ''] = find(env, 'no_proxy') ?? [];
  const hosts = [...noProxy.split(/[\s,]+/).flatMap(hostsOf), ...LOCALHOST].join(',');
  const proxies = ['http_proxy', 'https_proxy'].flatMap((name) => {
    const found = find(env, name);
    return found === undefined ? [] : [[name, readProxy(...found)] as const];
  });
  return { ...Object.fromEntries(proxies), no_proxy: hosts };
}

/** The name and value of a variable; undefined if it is not set. */
function find(env: Environment, name: string): [name: string, value: string] | undefined {
  for (const spelling of [name, name.toUpperCase()]) {
    const value = env[spelling]?.trim() ?? '';
    if (value !== '') return [spelling, value];
  }
  return undefined;
}

function readProxy(name: string, value: string): string {
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value) ?? [];
  const text = scheme === '' ? `http://${value}` : value;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The whole value is not shown: it may contain a password.
  if (/^socks/i.test(scheme)) {
    throw refused(name, `names a SOCKS proxy (${scheme}://), which is not supported`);
  }
  if (scheme !== '' && !/^https?$/i.test(scheme)) {
    throw refused(name, `names a proxy of an unknown type (${scheme}://)`);
  }
  if (url === undefined || url.hostname === '') throw refused(name, 'does not name a proxy');
  return text;
}

function refused(name: string, what: string): ReplicationError {
  const next = 'set it to http://host:port, or list hosts that need no proxy in NO_PROXY';
  return new ReplicationError('CONFIG_INVALID', `read the variable ${name}: it ${what}; ${next}`);
}

/** Node's form of one entry of NO_PROXY. */
function hostsOf(entry: string): string[] {
  const range = rangeOf(entry);
  if (range !== undefined) return [range];
  const address = /^\[(.*)\]$/.exec(entry)?.[1];
  if (address !== undefined) return [entry, address];
  const isName = /^[a-z0-9_-][a-z0-9_.-]*[a-z_-][a-z0-9_.-]*$/i.test(entry);
  return isName ? [entry, `.${entry}`] : entry === '' ? [] : [entry];
}

/** "10.0.0.0/8" becomes "10.0.0.0-10.255.255.255". */
function rangeOf(entry: string): string | undefined {
  const [, address = '', bits] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(entry) ?? [];
  const bytes = address.split('.').map(Number);
  if (bits === undefined || Number(bits) > 32 || bytes.some((byte) => byte > 255)) return undefined;
  const sizeOfRange = 2 ** (32 - Number(bits));
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const first = Math.floor(number / sizeOfRange) * sizeOfRange;
  return `${formatAddress(first)}-${formatAddress(first + sizeOfRange - 1)}`;
}

function formatAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
