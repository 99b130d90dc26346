/**
 * Keys of Litestream 0.3 and 0.5 that Sluice refuses or ignores, each with the reason. All other keys of
 * Litestream are also keys of Sluice.
 *
 * A key is refused only if ignoring it would store something in plain text, leave a database without a backup,
 * or write to another place. All others are ignored with a note, so that a working litestream.yml starts.
 */

import { noted, type KnownBy, type Support } from './support.ts';

export type Scope = 'top' | 'database' | 'replica';

export interface Word {
  readonly scope: Scope;
  /** Nested keys have a dot: socket.path. */
  readonly key: string;
  /** Type of destination, if only one type has the key. */
  readonly of?: string | undefined;
  readonly knownBy: Exclude<KnownBy, 'ours'>;
  readonly support: Exclude<Support, { kind: 'works' }>;
  /** Example value, in YAML. */
  readonly example: string;
}

const NO_CHECK_INTERVAL = noted(
  'Sluice looks for files to delete every 10 minutes, if files were written',
);
const NO_SOCKET = noted(
  'the control sockets are in the staging folders and in the runtime folder of the user, for the user of the replicator only',
);

const word = (
  scope: Scope,
  key: string,
  example: string,
  support: Support,
  knownBy: Word['knownBy'] = '0.5',
): Word => {
  if (support.kind === 'works') throw new TypeError(`${key} is supported: move it to the schema`);
  return { scope, key, example, support, knownBy };
};

const TOP_WORDS: readonly Word[] = [
  word('top', 'logging.source', 'true', noted('log lines have no source position')),
  word('top', 'l0-retention-check-interval', '30s', NO_CHECK_INTERVAL),
  word('top', 'socket.enabled', 'true', NO_SOCKET),
  word('top', 'socket.path', '/var/run/litestream.sock', NO_SOCKET),
  word('top', 'socket.permissions', '"0600"', NO_SOCKET),
  word(
    'top',
    'mcp-addr',
    '":3001"',
    noted('no address serves MCP: run "sluice mcp", which speaks on stdin and stdout'),
  ),
];

const DATABASE_WORDS: readonly Word[] = [
  word(
    'database',
    'max-checkpoint-page-count',
    '10000',
    noted(
      'no RESTART checkpoints are made, because they block writers: truncate-page-n limits the WAL',
    ),
    '0.3',
  ),
  word(
    'database',
    'max-sync-wal-bytes',
    '64MiB',
    noted('the memory for reading the WAL is limited without it'),
  ),
];

const REPLICA_WORDS: readonly Word[] = [
  word('replica', 'retention-check-interval', '1h', NO_CHECK_INTERVAL, '0.3'),
  word('replica', 'max-sync-ltx-files', '100', noted('each file is sent as soon as it is staged')),
  word(
    'replica',
    'auto-recover',
    'true',
    noted('always on: Sluice proves continuity or takes a full snapshot'),
  ),
];

const PACKAGE = 'use a package that provides one (type: its name)';
const noBackend = (what: string, instead: string): Word['support'] & { kind: 'refused' } => ({
  kind: 'refused',
  reason: `Sluice has no backend for ${what}`,
  instead,
});
const NO_WEBDAV = noBackend('WebDAV', PACKAGE);
const NO_NATS = noBackend('NATS', PACKAGE);

/** Refused types of destinations. */
export const REFUSED_TYPES: Readonly<Record<string, Word['support'] & { kind: 'refused' }>> = {
  nats: NO_NATS,
  webdav: NO_WEBDAV,
  webdavs: NO_WEBDAV,
  oss: noBackend('Alibaba OSS', 'use s3 with the S3-compatible endpoint of the region'),
};

const of =
  (type: string, support: Word['support'], knownBy: Word['knownBy']) =>
  ([key, example]: readonly [string, string]): Word => ({
    scope: 'replica',
    key,
    of: type,
    knownBy,
    support,
    example,
  });

const WEBDAV_WORDS = (
  [
    ['webdav-url', 'https://dav.example.com'],
    ['webdav-username', 'user'],
    ['webdav-password', 'password'],
  ] as const
).map(of('webdav', NO_WEBDAV, '0.5'));

const NATS_WORDS = (
  [
    ['jwt', 'jwt'],
    ['seed', 'seed'],
    ['creds', '/etc/creds'],
    ['nkey', 'nkey'],
    ['username', 'user'],
    ['token', 'token'],
    ['tls', 'true'],
    ['root-cas', '[/etc/ca.pem]'],
    ['client-cert', '/etc/cert.pem'],
    ['client-key', '/etc/key.pem'],
    ['max-reconnects', '5'],
    ['reconnect-wait', '2s'],
    ['timeout', '10s'],
  ] as const
).map(of('nats', NO_NATS, 'both'));

export const WORDS: readonly Word[] = [
  ...TOP_WORDS,
  ...DATABASE_WORDS,
  ...REPLICA_WORDS,
  ...WEBDAV_WORDS,
  ...NATS_WORDS,
];
