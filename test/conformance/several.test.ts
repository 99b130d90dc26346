/** Replication to destinations of several kinds at once, and a restore from each of them alone. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { sluice } from '../check/program.ts';
import { startAzurite } from '../servers/azurite.ts';
import { start as startGCS } from '../servers/gcs/index.ts';
import { start as startS3, type RunningS3 } from '../servers/s3/index.ts';
import { startSshd } from '../servers/sshd.ts';
import { describeWith } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

type Replica = Readonly<Record<string, unknown>> & { readonly name: string };

const EXAMPLE = path.join(import.meta.dirname, '../../examples/aws-r2-disk.yml');

test('AWS, R2 and a disk, each with its own credentials, can each be restored alone', async () => {
  const aws = await s3With('aws-key', 'aws-secret', 'eu-west-1');
  const r2 = await s3With('r2-key', 'r2-secret');
  Object.assign(r2.quirks, { equalPartSizes: true, partsAtOnceMax: 2, refuseTrailers: true });
  for (const { name, value } of [
    { name: 'AWS_KEY_ID', value: 'aws-key' },
    { name: 'AWS_SECRET_KEY', value: 'aws-secret' },
    { name: 'R2_KEY_ID', value: 'r2-key' },
    { name: 'R2_SECRET_KEY', value: 'r2-secret' },
  ]) {
    process.env[name] = value;
    onTestFinished(() => void delete process.env[name]);
  }
  const example = parse(fs.readFileSync(EXAMPLE, 'utf8')) as { dbs: { replicas: Replica[] }[] };
  const replicas = example.dbs[0]?.replicas ?? [];
  expect(replicas.map(({ name }) => name)).toEqual(['aws', 'r2', 'disk']);
  const folder = temporaryFolder('several');
  // The example's configuration with the endpoints of the test servers.
  await expectEachRestores(folder, [
    { ...find(replicas, 'aws'), endpoint: aws.endpoint },
    { ...find(replicas, 'r2'), endpoint: r2.endpoint, 'part-size': '5MiB' },
    { ...find(replicas, 'disk'), path: path.join(folder, 'disk') },
  ]);
  expect(aws.raw.keys().length).toBeGreaterThan(0);
  expect(r2.raw.keys().length).toBeGreaterThan(0);
});

describeWith(['azurite', 'sshd'], 'one destination of each kind', () => {
  test('can be restored alone after replication to all five', async () => {
    const s3 = await s3With('key', 'secret');
    const gcs = await startGCS();
    onTestFinished(() => gcs.stop());
    const azure = await startAzurite();
    onTestFinished(() => azure.stop());
    const sftp = await startSshd({ as: 'own-user', extensions: 'all' });
    onTestFinished(() => sftp.stop());
    const folder = temporaryFolder('several');
    await expectEachRestores(folder, [
      {
        name: 's3',
        type: 's3',
        bucket: 'my-app-backups',
        path: 'app',
        endpoint: s3.endpoint,
        'access-key-id': 'key',
        'secret-access-key': 'secret',
      },
      { name: 'gs', type: 'gs', bucket: gcs.bucket, path: 'app', endpoint: gcs.endpoint },
      {
        name: 'abs',
        type: 'abs',
        bucket: azure.container,
        path: 'app',
        endpoint: azure.endpoint,
        'account-name': azure.account,
        'account-key': azure.accountKey,
      },
      { name: 'sftp', ...sftp.input, path: path.join(sftp.root, 'app') },
      { name: 'disk', path: path.join(folder, 'disk') },
    ]);
  });
});

async function s3With(
  accessKeyId: string,
  secretAccessKey: string,
  region?: string,
): Promise<RunningS3> {
  const credentials = [{ accessKeyId, secretAccessKey }];
  const server = await startS3({ buckets: ['my-app-backups'], region, credentials });
  onTestFinished(() => server.stop());
  return server;
}

function find(replicas: readonly Replica[], name: string): Replica {
  const found = replicas.find((replica) => replica.name === name);
  if (found === undefined) throw new Error(`the example has no ${name}`);
  return found;
}

/** Replicates twice, with new commits each time, and restores each destination without the others. */
async function expectEachRestores(folder: string, replicas: readonly Replica[]): Promise<void> {
  const database = path.join(folder, 'app.db');
  const config = path.join(folder, 'sluice.yml');
  fs.writeFileSync(config, stringify({ dbs: [{ path: database, replicas }] }));
  const db = new Database(database);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)');
  const add = db.prepare('INSERT INTO t(a) VALUES(randomblob(?))');
  // The first run needs more than one part.
  for (const [rows, bytes] of [
    [600, 20_000],
    [50, 100],
  ] as const) {
    for (let row = 0; row < rows; row++) add.run(bytes);
    const { code, stdout } = await sluice('replicate', '-once', '-config', config);
    expect({ code, stdout }).toMatchObject({ code: 0 });
  }
  const expected = db.prepare('SELECT id, hex(a) AS a FROM t ORDER BY id').all();
  for (const { name } of replicas) {
    const output = path.join(folder, `${name}.db`);
    const words = ['restore', '-config', config, '-replica', name, '-o', output, database];
    const { code, stderr } = await sluice(...words);
    expect({ name, code, stderr }).toMatchObject({ name, code: 0 });
    const restored = new Database(output, { readonly: true });
    expect(restored.prepare('SELECT id, hex(a) AS a FROM t ORDER BY id').all()).toEqual(expected);
    restored.close();
  }
}
