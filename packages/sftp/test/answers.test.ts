/** Servers that answer "OK" to requests that they do not execute. */

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { expect, test } from 'vitest';

import { startFakeServer, tree } from './fake-server.ts';
import { bodyOf, connectTo, ref, ROOT } from './fixtures.ts';

const FILE = ref(0, 1);

test.each(['RENAME', 'WRITE'])(
  'a write fails if the server confirms a %s that it did not execute',
  async (kind) => {
    const fake = await startFakeServer();
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(ref(0, 2), bodyOf('creates the root'));
    fake.intercept = (request) => (request.kind === kind ? 'ignored' : undefined);
    const writing = client.writeFile(FILE, bodyOf('an LTX file'));
    const error: unknown = await writing.catch((thrown: unknown) => thrown);
    const code = kind === 'RENAME' ? 'REPLICA_UNAVAILABLE' : 'REPLICA_TRUNCATED';
    expect(isError(error, code), String(error)).toBe(true);
    expect(tree(fake, ROOT).filter((name) => name.endsWith('1.ltx'))).toEqual([]);
  },
);
