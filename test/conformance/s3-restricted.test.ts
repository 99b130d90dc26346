/** Keys that may delete nothing or only some files, at servers that enforce that: MinIO and versitygw. */

import { Replica } from '@sluice/core/backend/testing';
import type { FileFailure } from '@sluice/core/backend';
import { isError, type ReplicaClient } from '@sluice/core/backend';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { assumeRole } from '../servers/assume-role.ts';
import { startMinio } from '../servers/minio.ts';
import type { RealS3 } from '../servers/real-s3.ts';
import { connectS3 } from '../servers/s3-access.ts';
import { PART_BYTES, rejectionOf } from '../servers/s3-fixture.ts';
import type { Credentials } from '../servers/s3/index.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { makeUser, type Statement } from '../servers/versitygw-users.ts';
import { describeWith } from '../support/require.ts';
import { assertBytes, bodyOf, list, pattern, read, ref } from './context.ts';

type Allow = (
  server: RealS3,
  name: string,
  statements: readonly Statement[],
) => Promise<Credentials>;

const byRole: Allow = async (server, _name, statements) => {
  const allowed = statements.map((each) => ({ Effect: 'Allow', ...each }));
  return await assumeRole(server, JSON.stringify({ Version: '2012-10-17', Statement: allowed }));
};

const SERVERS = [
  ['minio', 'MinIO', startMinio, byRole],
  ['versitygw', 'versitygw', startVersitygw, makeUser],
] as const;

/** Content of files that are not read. */
const SMALL = pattern(9, 1);

for (const [tool, name, start, allow] of SERVERS) {
  describeWith([tool], `a restricted key, at ${name},`, () => {
    let server: RealS3;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    async function connect(user: string, deletes: readonly string[]): Promise<ReplicaClient> {
      const bucket = `arn:aws:s3:::${server.bucket}`;
      const credentials = await allow(server, user, [
        { Action: ['s3:ListBucket'], Resource: [bucket] },
        {
          Action: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
          Resource: [`${bucket}/*`],
        },
        ...deletes.map((keys) => ({
          Action: ['s3:DeleteObject'],
          Resource: [`${bucket}/${keys}`],
        })),
      ]);
      const destination = await connectS3({ ...server, credentials }, { 'part-size': PART_BYTES });
      onTestFinished(() => destination.close());
      return destination;
    }

    test('that may not delete can do everything else, and the error names each file', async () => {
      const replica = new Replica(await connect('adder', []), 'grows.db');
      const files = [ref(0, 1), ref(0, 2), ref(9, 1, 2)];
      await replica.writeFile(ref(0, 1), bodyOf(SMALL), { condition: 'if-absent' });
      await replica.writeFile(ref(0, 2), bodyOf(SMALL));
      await replica.writeFile(ref(9, 1, 2), bodyOf(pattern(PART_BYTES + 1, 1)));
      const second = replica.writeFile(ref(0, 1), bodyOf(SMALL), { condition: 'if-absent' });
      expect(isError(await rejectionOf(second), 'REPLICA_CONFLICT')).toBe(true);

      const refused = await failuresOf(replica.deleteFiles(files));
      expect(refused).toHaveLength(files.length);
      expect(await list(replica, 'all')).toHaveLength(files.length);
      assertBytes(await read(replica, ref(0, 1)), SMALL);
    });

    test('that may delete one level deletes it, and the error names only the other files', async () => {
      const replica = new Replica(await connect('pruner', ['pruned.db/0000/*']), 'pruned.db');
      const files = [ref(9, 1), ref(0, 1), ref(9, 1, 2), ref(0, 2), ref(9, 1, 3)];
      for (const file of files) await replica.writeFile(file, bodyOf(SMALL));
      const refused = await failuresOf(replica.deleteFiles(files));
      expect(refused.toSorted()).toEqual([
        'pruned.db/0009/0000000000000001-0000000000000001.ltx',
        'pruned.db/0009/0000000000000001-0000000000000002.ltx',
        'pruned.db/0009/0000000000000001-0000000000000003.ltx',
      ]);
      expect(await list(replica, 0)).toEqual([]);
      expect(await list(replica, 9)).toHaveLength(3);
    });
  });
}

/** Files in the error of a refused deletion, all with the code of the error. */
async function failuresOf(deletion: Promise<void>): Promise<string[]> {
  const error = await rejectionOf(deletion);
  expect(error).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
  const { failures } = error as Error & { failures: readonly FileFailure[] };
  for (const { code } of failures) expect(code).toBe('REPLICA_PERMISSION_DENIED');
  return failures.map(({ file }) => file);
}
