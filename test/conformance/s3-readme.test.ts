/** The configuration and the policies in the README of @sluice/s3. */

import { copyFile } from '../support/copy.ts';
import { Replica } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';
import { readFileSync } from 'node:fs';

import { backend } from '@sluice/s3';
import { parse as parseYAML } from 'yaml';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { assumeRole } from '../servers/assume-role.ts';
import { startMinio } from '../servers/minio.ts';
import type { RealS3 } from '../servers/real-s3.ts';
import { connectS3 } from '../servers/s3-access.ts';
import { PART_BYTES, rejectionOf } from '../servers/s3-fixture.ts';
import { describeWith } from '../support/require.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { parseConfig } from '@sluice/core/backend';

const README = readFileSync(new URL('../../packages/s3/README.md', import.meta.url), 'utf8');

function blocks(language: string): string[] {
  const pattern = new RegExp('```' + language + '\\n([^]*?)```', 'g');
  return Array.from(README.matchAll(pattern), (match) => match[1] ?? '');
}

test('the configuration in the README is valid', () => {
  const { dbs } = parseYAML(blocks('yaml')[0] ?? '') as { dbs: { replicas: unknown[] }[] };
  const { config, path } = parseConfig(backend, dbs[0]?.replicas[0]);
  expect([config.bucket, config.region, path]).toEqual(['my-app-backups', 'eu-west-1', 'app.db']);
});

describeWith(['minio'], 'the policies in the README, at MinIO', () => {
  let minio: RealS3;
  beforeAll(async () => {
    minio = await startMinio();
  });
  afterAll(() => minio.stop());

  const FILE = ref(0, 1);
  const LARGE = ref(9, 1, 7);

  /** Connects with a key that has a policy from the README. */
  async function allowedBy(policy: string): Promise<ReplicaClient> {
    const ofBucket = policy.replaceAll('my-app-backups', minio.bucket);
    const credentials = await assumeRole(minio, ofBucket);
    const destination = await connectS3({ ...minio, credentials }, { 'part-size': PART_BYTES });
    onTestFinished(() => destination.close());
    return destination;
  }

  test('allow replicating, restoring and deleting, only below the path', async () => {
    const [policy = ''] = blocks('json');
    const destination = await allowedBy(policy);
    const replica = new Replica(destination, 'app.db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
    await replica.writeFile(LARGE, bodyOf(pattern(PART_BYTES + 1, 1)));
    expect(await list(replica, 'all')).toHaveLength(2);
    expect(await read(replica, FILE)).toHaveLength(9);
    await copyFile(replica, FILE, ref(0, 2));
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = replica.writeFile(
      ref(9, 1, 8),
      { ...bodyOf(pattern(3 * PART_BYTES, 1)), open: () => abortedAfter(controller) },
      { signal },
    );
    await rejectionOf(aborted);
    await replica.deleteFiles([FILE, ref(0, 2), LARGE]);
    expect(await list(replica, 'all')).toEqual([]);
    const other = new Replica(destination, 'other.db');
    await allDenied([
      other.writeFile(FILE, bodyOf(pattern(9, 1))),
      other.deleteFiles([FILE]),
      list(other, 'all'),
      read(other, FILE),
    ]);
  });

  test('for a restore allow only that', async () => {
    const [whole = '', restoring = ''] = blocks('json');
    await new Replica(await allowedBy(whole), 'app.db').writeFile(FILE, bodyOf(pattern(9, 1)));
    const replica = new Replica(await allowedBy(restoring), 'app.db');
    expect(await list(replica, 'all')).toHaveLength(1);
    expect(await read(replica, FILE)).toHaveLength(9);
    await allDenied([
      replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1))),
      replica.deleteFiles([FILE]),
    ]);
  });

  test('without s3:DeleteObject allow everything except deleting', async () => {
    const [policy = ''] = blocks('json');
    const replica = new Replica(
      await allowedBy(policy.replace('"s3:DeleteObject", ', '')),
      'app.db',
    );
    await replica.writeFile(ref(0, 3), bodyOf(pattern(9, 1)));
    expect(await rejectionOf(replica.deleteFiles([ref(0, 3)]))).toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      failures: [{ code: 'REPLICA_PERMISSION_DENIED' }],
    });
    expect(await read(replica, ref(0, 3))).toHaveLength(9);
  });
});

async function allDenied(calls: readonly Promise<unknown>[]): Promise<void> {
  for (const error of await Promise.all(calls.map(rejectionOf))) {
    expect(error).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
  }
}

async function* abortedAfter(controller: AbortController): AsyncGenerator<Uint8Array> {
  for await (const chunk of bodyOf(pattern(2 * PART_BYTES, 1)).open()) yield chunk;
  controller.abort(new Error('aborted by the test'));
}
