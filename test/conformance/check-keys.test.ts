/** `checkDestination` names the permission that a key is missing. */

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { checkDestination, checkFailure, type CheckReport, Destination } from '@sluice/core';

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { assumeRole } from '../servers/assume-role.ts';
import { accountToken, connectAzure, rawKeys as azureKeys } from '../servers/azure-access.ts';
import { startAzurite, type Azurite } from '../servers/azurite.ts';
import { connectGCS } from '../servers/gcs-access.ts';
import { serviceAccount, start as startGCS, type Role } from '../servers/gcs/index.ts';
import { startMinio } from '../servers/minio.ts';
import { startProcess } from '../servers/process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from '../servers/real-s3.ts';
import { rawKeys, type S3Place } from '../servers/s3-access.ts';
import type { Credentials } from '../servers/s3/index.ts';
import { describeWith, needTool } from '../support/require.ts';
import { checkPlace } from './check-place.ts';

/** Failed features, each with the missing permission. */
function denials({ features }: CheckReport): Record<string, string | undefined> {
  const refused = features.filter(({ verdict }) => verdict === 'does not');
  return Object.fromEntries(refused.map(({ feature, missing }) => [feature, missing]));
}

const ALL = ['ListBucket', 'GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'];

function policyOf(actions: readonly string[], bucket: string, principal?: string): string {
  const principals = principal === undefined ? {} : { Principal: { AWS: [principal] } };
  const allow = (names: readonly string[], resource: string): object[] => {
    const Action = names.map((name) => `s3:${name}`);
    const statement = { Effect: 'Allow', ...principals, Action, Resource: [resource] };
    return names.length === 0 ? [] : [statement];
  };
  const ofBucket = actions.filter((name) => name === 'ListBucket');
  const ofObjects = actions.filter((name) => name !== 'ListBucket');
  const arn = `arn:aws:s3:::${bucket}`;
  const Statement = [...allow(ofBucket, arn), ...allow(ofObjects, `${arn}/*`)];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

interface Lock extends RealS3 {
  /** Creates a key that allows only these actions. */
  allowed(actions: readonly string[]): Promise<Credentials>;
}

async function lockedMinio(): Promise<Lock> {
  const server = await startMinio();
  return { ...server, allowed: (actions) => assumeRole(server, policyOf(actions, server.bucket)) };
}

const USER: Credentials = { accessKeyId: 'restricted', secretAccessKey: 'restrictedsecret' };

/** versitygw with a folder of users, and bucket policies. */
async function lockedVersitygw(): Promise<Lock> {
  const binary = needTool('versitygw');
  const { accessKeyId, secretAccessKey } = REAL_CREDENTIALS;
  const { port, stop } = await startProcess({
    name: 'versitygw',
    binary,
    arguments: (port, folder) => [
      ...['-q', '-a', accessKeyId, '-s', secretAccessKey, '-p', `127.0.0.1:${port}`],
      ...['--health', '/health', '--iam-dir', join(folder, 'users')],
      ...['posix', join(folder, 'data')],
    ],
    async prepare(folder) {
      await mkdir(join(folder, 'data', REAL_BUCKET), { recursive: true });
      await mkdir(join(folder, 'users'));
    },
    healthPath: '/health',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const root = { endpoint, region: REAL_REGION, credentials: { accessKeyId, secretAccessKey } };
  await promisify(execFile)(binary, [
    ...['admin', '-a', accessKeyId, '-s', secretAccessKey, '-er', endpoint, 'create-user'],
    ...['-a', USER.accessKeyId, '-s', USER.secretAccessKey, '-r', 'user'],
  ]);
  return {
    ...{ ...root, bucket: REAL_BUCKET, stop },
    async allowed(actions) {
      const client = new S3Client({ ...root, forcePathStyle: true });
      const Policy = policyOf(actions, REAL_BUCKET, USER.accessKeyId);
      await client.send(new PutBucketPolicyCommand({ Bucket: REAL_BUCKET, Policy }));
      client.destroy();
      return USER;
    },
  };
}

describe.each([
  ['MinIO', 'minio', lockedMinio],
  ['versitygw', 'versitygw', lockedVersitygw],
] as const)('%s', (name, tool, startServer) => {
  describeWith([tool], `a key at ${name}`, () => {
    let server: Lock;
    beforeAll(async () => {
      server = await startServer();
    });
    afterAll(() => server.stop());

    async function checkWithout(...missing: string[]): Promise<CheckReport> {
      const credentials = await server.allowed(ALL.filter((action) => !missing.includes(action)));
      return await checkPlace({ ...server, credentials } satisfies S3Place);
    }

    test('with all permissions passes', async () => {
      const report = await checkWithout();
      expect(report.features.filter(({ verdict }) => verdict !== 'works')).toEqual([]);
      expect(await rawKeys(server, '')).toEqual([]);
    });

    test('that may not delete is reported, with the files that stay', async () => {
      const report = await checkWithout('DeleteObject');
      expect(denials(report)).toEqual({ delete: 'delete' });
      expect(checkFailure(report)).toBeUndefined();
      expect(report.left.length).toBeGreaterThan(8);
      expect(report.left.toSorted()).toEqual((await rawKeys(server, report.path)).toSorted());
    });

    test('that may only read is reported as not allowed to write, and no files stay', async () => {
      const before = await rawKeys(server, '');
      const report = await checkWithout('PutObject', 'DeleteObject', 'AbortMultipartUpload');
      expect(denials(report)).toEqual({ write: 'write' });
      expect(checkFailure(report)).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
      expect(report.left).toEqual([]);
      expect(await rawKeys(server, '')).toEqual(before);
    });

    test('that may not list is reported', async () => {
      const report = await checkWithout('ListBucket');
      expect(denials(report)).toEqual({ list: 'list' });
      expect(report.features[0]?.seen).toContain('it answers; access is denied');
    });

    test('that may not read is reported', async () => {
      expect(denials(await checkWithout('GetObject'))).toEqual({ read: 'read' });
    });

    test('that may not abort uploads is reported, without failing the check', async () => {
      const report = await checkWithout('AbortMultipartUpload');
      expect(denials(report)).toEqual({ abort: 'abort' });
      expect(checkFailure(report)).toBeUndefined();
    });

    test('for a missing bucket is not reported as missing a permission', async () => {
      const report = await checkPlace({ ...server, bucket: 'there-is-none' });
      expect(checkFailure(report)).toMatchObject({
        feature: 'reach',
        code: 'REPLICA_DESTINATION_NOT_FOUND',
      });
    });
  });
});

async function checkTree(
  connect: (logger: Logger) => Promise<ReplicaClient>,
): Promise<CheckReport> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const destination = new Destination(await connect(silent));
  onTestFinished(() => destination.close());
  const reconnect = async (logger: Logger): Promise<Destination> =>
    new Destination(await connect(logger));
  const given = { destination, connect: reconnect, path: 'db' } as const;
  return await checkDestination({ ...given, partBytes: BLOCK_BYTES });
}

const BLOCK_BYTES = 1024 * 1024;

describeWith(['azurite'], 'a token at Azurite', () => {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(() => azurite.stop());

  async function checkWith(permissions: string): Promise<CheckReport> {
    const token = accountToken(azurite, { permissions });
    const given = { 'account-key': undefined, 'sas-token': token, 'part-size': BLOCK_BYTES };
    return await checkTree((logger) => connectAzure(azurite, given, { logger }));
  }

  test.each([
    ['rwdlc', {}],
    ['rwdc', { list: 'list' }],
    ['wdlc', { read: 'read' }],
    ['rdl', { write: 'write' }],
    ['rl', { write: 'write' }],
  ])('with the permissions "%s" is reported as missing %j', async (permissions, expected) => {
    expect(denials(await checkWith(permissions))).toEqual(expected);
    expect(await azureKeys(azurite, '')).toEqual([]);
  });

  test('that may not delete is reported, with the keys of the files that stay', async () => {
    const report = await checkWith('rwlc');
    expect(denials(report)).toEqual({ delete: 'delete' });
    expect(report.left.toSorted()).toEqual((await azureKeys(azurite, '')).toSorted());
  });
});

describe('a Google account, on our server,', () => {
  const VIEWER: Role = 'roles/storage.objectViewer';
  const CREATOR: Role = 'roles/storage.objectCreator';

  test.each<[Role[], Record<string, string>]>([
    [['roles/storage.objectUser'], {}],
    [[VIEWER], { write: 'write' }],
    [[CREATOR], { list: 'list', read: 'read', delete: 'delete' }],
    // Replacing an object needs the permission to delete.
    [[VIEWER, CREATOR], { 'if-version': 'replace', delete: 'delete' }],
  ])('with %j is reported as missing %j', async (roles, expected) => {
    const { account, credentials } = serviceAccount('checker', roles);
    const server = await startGCS({ accounts: [account] });
    onTestFinished(() => server.stop());
    const given = { credentials, 'part-size': BLOCK_BYTES };
    const report = await checkTree((logger) => connectGCS(server, given, { logger }));
    expect(denials(report)).toEqual(expected);
    const keys = server.raw.keys().toSorted();
    expect(report.left.toSorted()).toEqual(keys);
  });
});
