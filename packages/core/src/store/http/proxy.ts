/**
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY as curl, Go and Python read them, in the form that Node reads.
 *
 *  HTTPS_PROXY           is
 *  http(s)://host:port   used
 *  host:port             the same: http is meant
 *  socks5://…, others    refused: Node has no such proxies, and would go without one
 *
 *  NO_PROXY entry        stands for
 *  example.com           that host, and those below it
 *  .example.com          the same (to Go: those below it only)
 *  *.example.com         those below it
 *  host:port             that port of that host
 *  10.0.0.0/8            those addresses
 *  *                     all hosts
 *
 * Entries stand between commas or blanks. A variable in small letters wins over the one in capitals.
 */

import { ReplicationError } from '../../error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What is on this machine is behind no proxy, whatever the environment says. */
const HERE = ['localhost', '127.0.0.1-127.255.255.255', '::1', '[::1]'];

/** CONFIG_INVALID, naming the variable, where it names no proxy that can be used. */
export function proxyEnvironment(env: Environment): Record<string, string> {
  const [, noProxy = ''] = find(env, 'no_proxy') ?? [];
  const hosts = [...noProxy.split(/[\s,]+/).flatMap(hostsOf), ...HERE].join(',');
  const proxies = ['http_proxy', 'https_proxy'].flatMap((name) => {
    const found = find(env, name);
    return found === undefined ? [] : [[name, readProxy(...found)] as const];
  });
  return { ...Object.fromEntries(proxies), no_proxy: hosts };
}

/** Name and value of a variable; undefined where it is not set. */
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
  // Not shown as a whole: it may hold a password.
  if (/^socks/i.test(scheme)) {
    throw refused(name, `names a SOCKS proxy (${scheme}://), which cannot be used`);
  }
  if (scheme !== '' && !/^https?$/i.test(scheme)) {
    throw refused(name, `names a proxy of a kind that is not known (${scheme}://)`);
  }
  if (url === undefined || url.hostname === '') throw refused(name, 'names no proxy');
  return text;
}

function refused(name: string, what: string): ReplicationError {
  const next = 'give http://host:port, or name the hosts that need no proxy in NO_PROXY';
  return new ReplicationError('CONFIG_INVALID', `read the variable ${name}: it ${what}; ${next}`);
}

/** What Node has to be given for one entry of NO_PROXY. */
function hostsOf(entry: string): string[] {
  const range = rangeOf(entry);
  if (range !== undefined) return [range];
  const address = /^\[(.*)\]$/.exec(entry)?.[1];
  if (address !== undefined) return [entry, address];
  const isName = /^[a-z0-9_-][a-z0-9_.-]*[a-z_-][a-z0-9_.-]*$/i.test(entry);
  return isName ? [entry, `.${entry}`] : entry === '' ? [] : [entry];
}

/** "10.0.0.0/8" is 10.0.0.0-10.255.255.255. */
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
