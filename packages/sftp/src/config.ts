/**
 * The configuration of a replica on an SFTP server: all keys that Litestream has for sftp, by YAML or,
 * in kebab-case or camelCase, in the query of sftp://user:password@host:port/path.
 *
 *  key                standard
 *  host               must be given; host, host:port or [IPv6]:port
 *  user               must be given
 *  path               the folder where the server puts us; relative ones begin there
 *  url                sftp://…, instead of the above; other keys win over what it says
 *  password           none; also what keyboard-interactive is answered with
 *  key-path           none; a private key, OpenSSH or PEM; ~ is the home folder
 *  passphrase         none; of that key
 *  agent              SSH_AUTH_SOCK, where there is neither password nor key-path
 *  host-key           one or more lines "ssh-ed25519 AAAA…", or fingerprints "SHA256:…"
 *  known-hosts        a file as OpenSSH has it, instead of host-key
 *  concurrent-writes  true; false sends one piece of a file after the other
 *
 * Without host-key and known-hosts no server is trusted: the error says which key it has shown.
 * `type` and `name` are read by whoever chose this backend.
 */

import { posix } from 'node:path';

import {
  ConfigReader,
  expandHome,
  keysOfQuery,
  type ParsedConfig,
  type Secret,
  percentDecoded,
} from '@sluice/core/backend';

import { readKeyLines } from './host-key.ts';

export interface SFTPConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly keyPath: string | undefined;
  readonly passphrase: Secret | undefined;
  /** The agent's socket. */
  readonly agent: string | undefined;
  /** Lines, as in authorized_keys, or fingerprints. */
  readonly hostKey: string | undefined;
  readonly knownHosts: string | undefined;
  readonly concurrentWrites: boolean;
}

const PORT_DEFAULT = 22;
const PORT_MAX = 65_535;

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<SFTPConfig> {
  const reader = new ConfigReader('sftp', withURL(input));
  reader.ignore('name');
  reader.oneOf('type', ['sftp']);
  const url = reader.string('url');
  if (url !== undefined && !isSFTPURL(url)) reader.issue('url', 'must begin with sftp://');
  reader.exclusive('host-key', 'known-hosts');
  if (reader.has('passphrase') && !reader.has('key-path')) {
    reader.issue('passphrase', 'needs key-path beside it');
  }
  const config: SFTPConfig = {
    ...readHost(reader),
    user: reader.requiredString('user'),
    password: reader.secret('password'),
    keyPath: readPath(reader, 'key-path'),
    passphrase: reader.secret('passphrase'),
    agent: readPath(reader, 'agent'),
    hostKey: readHostKey(reader),
    knownHosts: readPath(reader, 'known-hosts'),
    concurrentWrites: reader.boolean('concurrent-writes') ?? true,
  };
  const path = reader.string('path') ?? '';
  if (path.includes('\0')) reader.issue('path', 'holds a NUL character');
  if (isSFTPURL(path)) reader.issue('path', 'is a URL (sftp://): write it under url');
  reader.finish();
  return { config, path: cleanPath(path) };
}

/** The input that YAML would give. A URL that is not right becomes an issue of `parseConfig`. */
export function configFromURL(url: URL): unknown {
  return inputFromURL(url.href);
}

/** What `url` says, where keys of their own do not say otherwise. */
function withURL(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || !('url' in input)) return input;
  const { url } = input;
  if (typeof url !== 'string' || !isSFTPURL(url)) return input;
  return { ...inputFromURL(url), ...input };
}

function isSFTPURL(text: string): boolean {
  return /^sftp:\/\//i.test(text) && URL.canParse(text);
}

function inputFromURL(text: string): Record<string, unknown> {
  const { host, username, password, pathname, search } = new URL(text);
  const user = percentDecoded(username);
  const given = { host, user, password: percentDecoded(password), path: pathOf(pathname) };
  const filled = Object.entries(given).filter(([, value]) => value !== '');
  return { type: 'sftp', ...Object.fromEntries(filled), ...keysOfQuery(search) };
}

/** From the server's root, as Litestream reads it; /~/app is app in the folder where we are put. */
function pathOf(pathname: string): string {
  const path = percentDecoded(pathname);
  return path === '/~' || path.startsWith('/~/') ? path.slice('/~/'.length) : path;
}

function readHost(reader: ConfigReader): Pick<SFTPConfig, 'host' | 'port'> {
  const text = reader.requiredString('host');
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain ?? (/^[0-9a-f]*:[0-9a-f:.]+$/i.test(text) ? text : '');
  const port = digits === undefined ? PORT_DEFAULT : Number(digits);
  if (text !== '' && (host === '' || port < 1 || port > PORT_MAX)) {
    reader.issue('host', 'must be a host, or host:port');
  }
  return { host, port };
}

function readHostKey(reader: ConfigReader): string | undefined {
  const text = reader.string('host-key')?.trim();
  if (text === undefined) return undefined;
  if (readKeyLines(text) === undefined) {
    reader.issue('host-key', 'must be a line such as "ssh-ed25519 AAAA…", or "SHA256:…"');
  }
  return text;
}

function readPath(reader: ConfigReader, key: string): string | undefined {
  const path = reader.string(key);
  return path === undefined ? undefined : expandHome(path);
}

/** "/a//b/../c/" is "/a/c"; what goes above the folder where it begins stays as it is. */
function cleanPath(path: string): string {
  const cleaned = path === '' ? '' : posix.normalize(path).replace(/(?<=.)\/+$/, '');
  return cleaned === '.' ? '' : cleaned;
}
