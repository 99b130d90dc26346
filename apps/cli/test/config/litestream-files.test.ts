/** Realistic configurations of Litestream: where each database goes, and what is logged at the start. */

import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { isError } from '@sluice/core';
import type { Config } from '../../src/config/model.ts';
import { readText } from '../support/configuration.ts';
import { LITESTREAM_FILES, litestreamFile, VARIABLES } from '../support/litestream-files.ts';

interface Expected {
  /** database, destination, target */
  readonly targets: readonly (readonly [string, string, string])[];
  /** The key of each line that is logged. */
  readonly notes: readonly string[];
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  '0.3-two-replicas.yml': {
    targets: [
      ['/var/lib/app/app.db', 's3-main', 's3://my-app-backups/app.db'],
      ['/var/lib/app/app.db', 'file', 'file:///mnt/backup/app.db'],
    ],
    notes: ['dbs[0].max-checkpoint-page-count', 'dbs[0].replicas[0].retention-check-interval'],
  },
  '0.3-other-stores.yml': {
    targets: [
      ['/srv/a.db', 'gcs', 'gs://my-gcs-bucket/a.db'],
      ['/srv/b.db', 'abs', 'abs://myaccount@backups/b.db'],
      [`${homedir()}/c.db`, 'gcs', 'gs://my-gcs-bucket/c.db'],
      [`${homedir()}/c.db`, 'sftp', 'sftp://backup@backup.example.com:2222/backups/c.db'],
    ],
    notes: [],
  },
  '0.5-all-keys.yml': {
    targets: [['/data/app.db', 's3', 's3://my-app-backups/app.db']],
    notes: [
      'logging.source',
      'l0-retention-check-interval',
      'socket.enabled',
      'socket.path',
      'socket.permissions',
      'mcp-addr',
      'dbs[0].max-sync-wal-bytes',
      'dbs[0].replica.max-sync-ltx-files',
      'dbs[0].replica.auto-recover',
    ],
  },
  '0.5-urls.yml': {
    targets: [
      ['/data/1.db', 's3', 's3://my-app-backups/1.db'],
      ['/data/2.db', 's3', 's3://spaces/2.db at https://ams3.digitaloceanspaces.com'],
      ['/data/3.db', 'gs', 'gs://my-gcs-bucket/3.db'],
      ['/data/4.db', 'abs', 'abs://myaccount@backups/4.db'],
      ['/data/5.db', 'sftp', 'sftp://backup@backup.example.com:2222/backups/5.db'],
      ['/data/6.db', 'file', 'file:///mnt/backup/6.db'],
      ['/data/7.db', 's3', 's3://backups/7.db at http://minio.local:9000'],
    ],
    notes: [],
  },
  '0.5-shared.yml': {
    targets: [
      ['/data/a.db', 's3', 's3://my-app-backups/a.db at https://s3.example.com'],
      ['/data/b.db', 's3', 's3://my-app-backups/b.db at https://s3.example.com'],
    ],
    notes: [],
  },
};

const keyOf = (note: string): string => note.replace(/: .*/s, '');

test.each(LITESTREAM_FILES)(
  '%s starts as it is, with one line for each ignored key',
  async (name) => {
    const config = await readText(litestreamFile(name), VARIABLES);
    expect(targetsOf(config)).toEqual(EXPECTED[name]?.targets);
    expect(config.notes.map(keyOf)).toEqual(EXPECTED[name]?.notes);
  },
);

function targetsOf({ databases }: Config): [string, string, string][] {
  return databases.flatMap(({ options, destinations }) =>
    destinations.map((to): [string, string, string] => [options.path, to.name, to.target]),
  );
}

test('the line of an ignored key says what happens instead', async () => {
  const { notes } = await readText(litestreamFile('0.3-two-replicas.yml'), VARIABLES);
  expect(notes.join('\n')).toMatch(
    /dbs\[0\]\.replicas\[0\]\.retention-check-interval: .*every 10 minutes/,
  );
  expect(notes.join('\n')).toContain('truncate-page-n limits the WAL');
});

/** What is not safe to ignore, with the reason. */
test.each([
  [
    'age encryption with wrong recipients (0.3)',
    '{ path: /data/app.db, replicas: [{ url: "s3://b/app.db", age: { recipients: [age1x, ssh-ed25519 AAAA], identities: [AGE-SECRET-KEY-1X] } }] }',
    ['dbs[0].replicas[0].age.recipients', 'dbs[0].replicas[0].age.recipients'],
    /is not an age recipient|ssh-ed25519 keys are not supported/,
  ],
  [
    'age identities without recipients (0.3)',
    '{ path: /data/app.db, replicas: [{ url: "s3://b/app.db", age: { identities: [AGE-SECRET-KEY-1X] } }] }',
    ['dbs[0].replicas[0].age'],
    /without them files would not be encrypted/,
  ],
  [
    'a restore of missing databases of a folder (0.5)',
    '{ dir: /data, pattern: "*.db", restore-if-db-not-exists: true, replica: { url: "s3://b/data" } }',
    ['dbs[0].restore-if-db-not-exists'],
    /cannot be used with dir: a database that is missing has no name/,
  ],
  [
    'NATS (0.5)',
    '{ path: /data/app.db, replica: { url: "nats://host:4222/bucket" } }',
    ['dbs[0].replica'],
    /type nats: Sluice has no backend for NATS/,
  ],
  [
    'WebDAV (0.5)',
    '{ path: /data/app.db, replica: { type: webdav, webdav-url: "https://dav.example.com", path: app.db } }',
    ['dbs[0].replica'],
    /type webdav: Sluice has no backend for WebDAV/,
  ],
  [
    'a misspelled key',
    '{ path: /data/app.db, replica: { url: "s3://b/app.db", retenton: 72h } }',
    ['dbs[0].replica'],
    /retenton is not a key/,
  ],
])('%s is refused by name', async (_, database, keys, reason) => {
  const error: unknown = await readText(`dbs: [${database}]`).catch((thrown: unknown) => thrown);
  if (!isError(error, 'CONFIG_INVALID')) throw error;
  const lines = error.message.split('\n').slice(1);
  expect(lines.map((line) => /^test\.yml:1: ([^:]+): /.exec(line)?.[1])).toEqual(keys);
  for (const line of lines) expect(line).toMatch(reason);
});
