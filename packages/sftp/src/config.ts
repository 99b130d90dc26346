/**
 * The configuration of a replica on an SFTP server: all keys of Litestream for sftp, and some of ours. In
 * YAML or, in kebab-case or camelCase, in the query of sftp://user:password@host:port/path.
 *
 * Without host-key and known-hosts no server is trusted: the error shows the key of the server.
 */

import { posix } from 'node:path';

import {
  keysOfQuery,
  percentDecoded,
  ReplicationError,
  type ConfigSchema,
  type DestinationDescription,
  type Secret,
} from '@sluice/core/backend';
import {
  boolean,
  exclusive,
  field,
  filePath,
  requires,
  rules,
  secret,
  text,
  Invalid,
} from '@sluice/core/backend/config';
import { z } from 'zod';

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

const KEYS = z.strictObject({
  host: field(
    { type: 'string', description: 'host, or host:port', examples: ['backup.example.com:22'] },
    readHost,
  ),
  user: text('the login name', { example: 'backup' }),
  path: text('the folder; a relative path starts at the login folder', {
    example: '/backup/app',
    check: problemWithPath,
  }).optional(),
  password: secret('the password; also the answer to keyboard-interactive', {
    example: 'example-password',
  }).optional(),
  'key-path': filePath('a private key, OpenSSH or PEM', {
    example: '~/.ssh/id_ed25519',
  }).optional(),
  passphrase: secret('the passphrase of that key', { example: 'example-passphrase' }).optional(),
  agent: filePath('the socket of an SSH agent', {
    example: '/run/user/1000/ssh-agent',
    defaultText: '$SSH_AUTH_SOCK, without password and key-path',
  }).optional(),
  'host-key': text('expected keys of the server: lines as in authorized_keys, or fingerprints', {
    example: 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    check: (lines) =>
      readKeyLines(lines.trim()) === undefined
        ? 'must be a line such as "ssh-ed25519 AAAA…", or "SHA256:…"'
        : undefined,
  })
    .transform((lines) => lines.trim())
    .optional(),
  'known-hosts': filePath('a known_hosts file of OpenSSH with the keys of the server', {
    example: '~/.ssh/known_hosts',
  }).optional(),
  'concurrent-writes': boolean('write several pieces of a file concurrently', {
    example: false,
  }).prefault(true),
});

export const schema: ConfigSchema<SFTPConfig & { readonly path: string }> = KEYS.superRefine(
  ...rules(exclusive('host-key', 'known-hosts'), requires('passphrase', 'key-path')),
).transform((keys) => ({
  ...keys.host,
  user: keys.user,
  password: keys.password,
  keyPath: keys['key-path'],
  passphrase: keys.passphrase,
  agent: keys.agent,
  hostKey: keys['host-key'],
  knownHosts: keys['known-hosts'],
  concurrentWrites: keys['concurrent-writes'],
  path: cleanPath(keys.path ?? ''),
}));

/** The keys of `sftp://user:password@host:port/path?key=value`. */
export function configFromURL(url: URL): unknown {
  const { protocol, host, username, password, pathname, search } = url;
  if (protocol !== 'sftp:') {
    throw new ReplicationError('CONFIG_INVALID', 'must begin with sftp://');
  }
  const user = percentDecoded(username);
  const given = { host, user, password: percentDecoded(password), path: pathOf(pathname) };
  const filled = Object.entries(given).filter(([, value]) => value !== '');
  return { ...Object.fromEntries(filled), ...keysOfQuery(search) };
}

export function describe({ host, port, user }: SFTPConfig, path: string): DestinationDescription {
  const address = host.includes(':') ? `[${host}]` : host;
  // A path without a leading slash starts at the login folder.
  const place = path.startsWith('/') ? path : `/~/${path}`;
  return { target: `sftp://${user}@${address}${port === PORT_DEFAULT ? '' : `:${port}`}${place}` };
}

/** Paths start at the server's root, as in Litestream; /~/app is app in the login folder. */
function pathOf(pathname: string): string {
  const path = percentDecoded(pathname);
  return path === '/~' || path.startsWith('/~/') ? path.slice('/~/'.length) : path;
}

function readHost(value: unknown): Pick<SFTPConfig, 'host' | 'port'> | Invalid {
  if (value === '') return new Invalid('is empty');
  const written = typeof value === 'string' ? value : '';
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/i.exec(written) ?? [];
  const bare = /^[0-9a-f]*:[0-9a-f:.]+$/i.test(written) ? written : '';
  const host = bracketed ?? plain ?? bare;
  const port = digits === undefined ? PORT_DEFAULT : Number(digits);
  const isRight = host !== '' && port >= 1 && port <= PORT_MAX;
  return isRight ? { host, port } : new Invalid('must be a host, or host:port');
}

function problemWithPath(path: string): string | undefined {
  if (path.includes('\0')) return 'contains a NUL character';
  return /^sftp:\/\//i.test(path) ? 'is a URL (sftp://): write it under url' : undefined;
}

/** "/a//b/../c/" is "/a/c"; leading ".." stay. */
function cleanPath(path: string): string {
  const cleaned = path === '' ? '' : posix.normalize(path).replace(/(?<=.)\/+$/, '');
  return cleaned === '.' ? '' : cleaned;
}
