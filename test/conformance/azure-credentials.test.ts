/** The Azure backend with refused credentials and with credentials that change. */

import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';

import type { ErrorCode, ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { accountToken, connectAzure } from '../servers/azure-access.ts';
import { BLOCK_BYTES, useAzure } from '../servers/azure-fixture.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { describeWith } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const README = readFileSync(new URL('../../packages/azure/README.md', import.meta.url), 'utf8');
const FILE = ref(0, 1);
const SMALL = bodyOf(pattern(9, 1));

/** Makes every kind of call and returns the errors. */
async function allReject(destination: ReplicaClient): Promise<Error[]> {
  const replica = new Replica(destination, 'db');
  return await Promise.all([
    rejectionOf(replica.openFile(FILE)),
    rejectionOf(replica.writeFile(FILE, SMALL)),
    rejectionOf(replica.writeFile(FILE, bodyOf(pattern(2 * BLOCK_BYTES, 1)))),
    rejectionOf(replica.deleteFiles([FILE])),
    rejectionOf(list(replica, 'all')),
    rejectionOf(copyFile(replica, FILE, ref(1, 1))),
    rejectionOf(
      new Replica(destination, 'db').objects.put('x', Buffer.from('x')) ?? Promise.resolve(),
    ),
  ]);
}

describeWith(['azurite'], 'azure, credentials', () => {
  const azure = useAzure();

  const wrongKey = Buffer.from('another key').toString('base64');
  const yesterday = new Date(Date.now() - 86_400_000);
  test.each<[string, () => Record<string, unknown>, ErrorCode, string]>([
    [
      'a wrong key',
      () => ({ 'account-key': wrongKey }),
      'REPLICA_PERMISSION_DENIED', // Azurite returns AuthorizationFailure, Azure AuthenticationFailed
      'check key or token',
    ],
    [
      'an expired token',
      () => ({ 'sas-token': accountToken(azure.proxy.place, { expiresOn: yesterday }) }),
      'REPLICA_PERMISSION_DENIED', // as above
      'its expiry',
    ],
    [
      'a token without the permissions',
      () => ({ 'sas-token': accountToken(azure.proxy.place, { permissions: 't' }) }),
      'REPLICA_PERMISSION_DENIED',
      'rcwdl',
    ],
    [
      'a missing container',
      () => ({ bucket: 'no-such-container' }),
      'REPLICA_DESTINATION_NOT_FOUND',
      'the container must already exist',
    ],
    [
      'an unreachable server',
      () => ({ endpoint: 'http://127.0.0.1:1/sluicetest' }),
      'REPLICA_UNAVAILABLE',
      'ECONNREFUSED',
    ],
  ])('the error names %s and contains no secret', async (_, more, code, words) => {
    const given = more();
    const destination = await azure.connected(given);
    for (const error of await allReject(destination)) {
      expect(error).toMatchObject({ code });
      expect(error.message).toContain(words);
      const text = inspect(error, { depth: 12, showHidden: true });
      expect(text).not.toMatch(/sig=|SharedKey /);
      expect(text).not.toContain(azure.proxy.place.accountKey);
      if (given['account-key'] === wrongKey) expect(text).not.toContain(wrongKey);
    }
  });

  test('AuthenticationFailed becomes REPLICA_UNAUTHENTICATED and names the keys to check', async () => {
    const replica = new Replica(await azure.connected(), 'db');
    const answer = { kind: 'error', status: 403, code: 'AuthenticationFailed' } as const;
    azure.proxy.fault('GetBlob', answer);
    const error = await rejectionOf(replica.openFile(FILE));
    expect(error).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED', status: 403 });
    expect(error.message).toContain('check account-name, account-key or the token');
  });

  describe('a token file', () => {
    test('can change at any time without a new connection', async () => {
      const path = join(temporaryFolder('azure-token'), 'token');
      const expired = accountToken(azure.proxy.place, { expiresOn: yesterday });
      await writeFile(path, expired);
      const more = { 'account-key': undefined, 'sas-token-path': path };
      const replica = new Replica(await azure.connected(more), 'db');
      const refused = await rejectionOf(replica.writeFile(FILE, SMALL));
      expect(refused).toMatchObject({ status: 403 });
      await writeFile(path, accountToken(azure.proxy.place));
      await replica.writeFile(FILE, SMALL);
      await copyFile(replica, FILE, ref(1, 1));
      await writeFile(path, expired);
      expect(await rejectionOf(list(replica, 0))).toMatchObject({ status: 403 });
      expect(azure.proxy.sockets.most).toBe(1);
    });

    test('that is missing or has no token is named in the error', async () => {
      const path = join(temporaryFolder('azure-token'), 'token');
      const more = { 'account-key': undefined, 'sas-token-path': path };
      const replica = new Replica(await azure.connected(more), 'db');
      const missing = await rejectionOf(replica.openFile(FILE));
      expect(missing).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
      expect(missing.message).toContain(path);
      await writeFile(path, 'sv=1&secret');
      const empty = await rejectionOf(replica.openFile(FILE));
      expect(empty).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
      expect(empty.message).toContain(`${path} has no token`);
      expect(empty.message).not.toContain('secret');
    });
  });

  test('a function of the program is asked once for many requests, and again after a wrong answer', async () => {
    const { place } = azure.proxy;
    const answers = ['sv=1&secret', accountToken(place)];
    let calls = 0;
    const credentials = async (): Promise<unknown> => answers[calls++];
    const destination = await connectAzure(place, { 'account-key': undefined }, { credentials });
    onTestFinished(() => destination.close());
    const replica = new Replica(destination, 'db');
    const refused = await rejectionOf(replica.openFile(FILE));
    expect(refused).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
    expect(refused.message).toContain('no token with a signature');
    expect(refused.message).not.toContain('secret');
    await replica.writeFile(FILE, SMALL);
    await copyFile(replica, FILE, ref(1, 1));
    expect(calls).toBe(2);
  });

  test('a connection string reaches the same container', async () => {
    const { endpoint, account, accountKey, container } = azure.proxy.place;
    const text = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${endpoint};`;
    const without = { 'account-name': undefined, 'account-key': undefined, endpoint: undefined };
    const more = { ...without, bucket: container, 'connection-string': text };
    await new Replica(await azure.connected(more), 'db').writeFile(FILE, SMALL);
    const replica = new Replica(await azure.connected(), 'db');
    expect(await read(replica, FILE)).toHaveLength(9);
  });

  describe('the permissions in the README', () => {
    const [, whole = ''] = /--permissions (\w+)/.exec(README) ?? [];
    const [, restoring = ''] = /for a restore, `(\w+)`:/.exec(README) ?? [];

    async function allowed(permissions: string): Promise<ReplicaClient> {
      const { place } = azure.proxy;
      const token = generateBlobSASQueryParameters(
        {
          containerName: place.container,
          permissions: ContainerSASPermissions.parse(permissions),
          expiresOn: new Date(Date.now() + 3_600_000),
        },
        new StorageSharedKeyCredential(place.account, place.accountKey),
      ).toString();
      const more = { 'account-key': undefined, 'sas-token': token, 'part-size': BLOCK_BYTES };
      const destination = await connectAzure(place, more);
      onTestFinished(() => destination.close());
      return destination;
    }

    test('allow replicating, restoring and deleting', async () => {
      const replica = new Replica(await allowed(whole), 'db');
      await replica.writeFile(FILE, SMALL, { condition: 'if-absent' });
      await replica.writeFile(ref(9, 1), bodyOf(pattern(2 * BLOCK_BYTES, 1)));
      await copyFile(replica, FILE, ref(1, 1));
      expect(await list(replica, 'all')).toHaveLength(3);
      expect(await read(replica, FILE)).toHaveLength(9);
      await replica.deleteFiles([FILE, ref(1, 1), ref(9, 1)]);
      expect(await list(replica, 'all')).toEqual([]);
    });

    test('for a restore allow only that', async () => {
      await new Replica(await azure.connected(), 'db').writeFile(FILE, SMALL);
      const replica = new Replica(await allowed(restoring), 'db');
      expect(await list(replica, 'all')).toHaveLength(1);
      expect(await read(replica, FILE)).toHaveLength(9);
      const calls = [replica.writeFile(ref(0, 2), SMALL), replica.deleteFiles([FILE])];
      for (const error of await Promise.all(calls.map(rejectionOf))) {
        expect(error).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
      }
    });

    test('without d allow everything except deleting', async () => {
      expect(whole).toContain('d');
      const replica = new Replica(await allowed(whole.replace('d', '')), 'db');
      await replica.writeFile(FILE, SMALL);
      expect(await rejectionOf(replica.deleteFiles([FILE]))).toMatchObject({
        code: 'REPLICA_PERMISSION_DENIED',
        failures: [{ code: 'REPLICA_PERMISSION_DENIED' }],
      });
      expect(await read(replica, FILE)).toHaveLength(9);
    });
  });
});
