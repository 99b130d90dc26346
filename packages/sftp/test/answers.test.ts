/** Servers that say "OK" to what they do not do. */

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { expect, test } from 'vitest';

import { startFakeServer, tree } from './fake-server.ts';
import { bodyOf, connectTo, ref, ROOT } from './fixtures.ts';

const FILE = ref(0, 1);

test.each(['RENAME', 'WRITE'])('a %s that is not done makes no file that counts', async (kind) => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 2), bodyOf('the root is ours'));
  fake.judge = (request) => (request.kind === kind ? 'ignored' : undefined);
  const writing = client.writeFile(FILE, bodyOf('a file of ours'));
  const error: unknown = await writing.catch((thrown: unknown) => thrown);
  const code = kind === 'RENAME' ? 'REPLICA_UNAVAILABLE' : 'REPLICA_TRUNCATED';
  expect(isError(error, code), String(error)).toBe(true);
  expect(tree(fake, ROOT).filter((name) => name.endsWith('1.ltx'))).toEqual([]);
});
