import { describe, expect, test } from 'vitest';

import { Destination } from '../../src/replica/destination.ts';
import type { Capabilities, ObjectBody } from '../../src/store/client.ts';
import { changeFiles, filesOf, plain } from '../support/files-view.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { Fencing, writeFenced, type FencedReplica } from '../../src/replica/fencing.ts';
import { bodyOf, bytesOf, error, readAll, ref, withCode } from '../store/fixtures.ts';

const ANY_SIZE: Capabilities = { ranges: true, conditions: 'any-size' };
const SMALL = 1_000;
const LARGE = 1_048_577;

type Behavior = (
  condition: 'if-absent' | undefined,
  sizeBytes: number,
) => 'heed' | 'ignore' | 'refuse' | Error;

interface Server {
  readonly replica: FencedReplica;
  /** The received writes: "none 1000", "if-absent 1000". */
  readonly asked: string[];
  readonly found: string[];
  readonly write: (txid: number, sizeBytes?: number, signal?: AbortSignal) => Promise<void>;
}

function server(behave: Behavior, capabilities = ANY_SIZE): Server {
  const asked: string[] = [];
  const found: string[] = [];
  const inner = changeFiles(memoryClient({ capabilities: ANY_SIZE }), (files) => ({
    async writeFile(file, body, options = {}) {
      const { condition } = options;
      asked.push(`${condition ?? 'none'} ${body.sizeBytes}`);
      const how = behave(condition, body.sizeBytes);
      if (how instanceof Error) throw how;
      if (how === 'refuse' && condition === 'if-absent') throw error('REPLICA_UNSUPPORTED');
      return await files.writeFile(file, body, how === 'ignore' ? {} : options);
    },
  }));
  const destination = { ...plain(inner), capabilities };
  const wrapped = new Destination(destination, { attemptsMax: 1 });
  const replica: FencedReplica = {
    client: wrapped.replica('db'),
    unsettled: wrapped.unsettled('db'),
    capabilities: wrapped.capabilities,
    fencing: wrapped.fencing,
  };
  const onFound = (level: string, message: string): void => void found.push(`${level} ${message}`);
  return {
    replica,
    asked,
    found,
    async write(txid, sizeBytes = SMALL, signal) {
      const body: ObjectBody = bodyOf(bytesOf(sizeBytes, txid), 100_000);
      const info = await writeFenced(replica, { file: ref(0, txid), body, onFound, signal });
      expect(info.sizeBytes).toBe(sizeBytes);
      const there = await readAll(replica.client, ref(0, txid));
      expect(Buffer.compare(there, bytesOf(sizeBytes, txid))).toBe(0);
    },
  };
}

test('only the first small file is written a second time, which is refused', async () => {
  const { write, asked, found } = server(() => 'heed');
  await write(1, LARGE);
  expect(asked).toEqual([`if-absent ${LARGE}`]);
  await write(2);
  await write(3);
  expect(asked.slice(1)).toEqual(Array.from({ length: 3 }, () => `if-absent ${SMALL}`));
  expect(found).toEqual([]);
});

test('a server that ignores conditions causes one warning, and gets no more conditions', async () => {
  const { write, asked, found } = server(() => 'ignore');
  for (let txid = 1; txid <= 4; txid += 1) await write(txid);
  await write(5, LARGE);
  expect(found).toEqual([
    'warn this server ignores conditional writes: fencing is off; ' +
      'make sure that only one replicator writes to this path',
  ]);
  const conditional = `if-absent ${SMALL}`;
  const plain = `none ${SMALL}`;
  expect(asked).toEqual([conditional, conditional, plain, plain, plain, `none ${LARGE}`]);
});

test('a server that does not support conditions is detected once, and gets none', async () => {
  const { write, asked, found } = server(() => 'refuse');
  for (let txid = 1; txid <= 3; txid += 1) await write(txid);
  await write(4, LARGE);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(
    /^warn this server does not support conditional writes: fencing is off; /,
  );
  const plain = `none ${SMALL}`;
  expect(asked).toEqual([`if-absent ${SMALL}`, plain, plain, plain, `none ${LARGE}`]);
});

test('a server that does not support them for large files still gets them for small files', async () => {
  const { write, asked, found } = server((_, size) => (size > SMALL ? 'refuse' : 'heed'));
  await write(1, LARGE);
  await write(2);
  await write(3, LARGE);
  await write(4);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('fencing is off for large files');
  expect(asked.filter((each) => each.endsWith(` ${SMALL}`))).toEqual(
    Array.from({ length: 3 }, () => `if-absent ${SMALL}`),
  );
  expect(asked.filter((each) => each === `if-absent ${LARGE}`)).toHaveLength(1);
});

test('another writer is still detected by its file', async () => {
  const { write, replica } = server(() => 'heed');
  await write(1);
  await replica.client.writeFile(ref(0, 2), bodyOf(bytesOf(SMALL, 99)));
  await expect(write(2)).rejects.toEqual(withCode('REPLICA_CONFLICT'));
});

test('an error with another reason is still an error', async () => {
  const { write, asked, found } = server(() => error('REPLICA_UNSUPPORTED'));
  await expect(write(1)).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
  expect(asked).toEqual([`if-absent ${SMALL}`, `none ${SMALL}`]);
  expect(found).toEqual([]);
  await expect(write(2)).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
  expect(asked[2]).toBe(`if-absent ${SMALL}`);
});

test('a proof that fails for another reason harms no file, and is repeated a few times', async () => {
  let calls = 0;
  const { write, found, asked } = server(() => {
    calls += 1;
    return calls % 2 === 0 && calls <= 6 ? error('REPLICA_UNAVAILABLE') : 'heed';
  });
  for (let txid = 1; txid <= 5; txid += 1) await write(txid);
  expect(found.map((each) => each.split(' ')[0])).toEqual(['debug', 'debug', 'debug']);
  expect(asked).toHaveLength(5 + 3);
});

test('an abort during the proof is an abort', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  let calls = 0;
  const { write, found, replica } = server(() => {
    calls += 1;
    if (calls === 2) controller.abort(reason);
    return 'heed';
  });
  await expect(write(1, SMALL, controller.signal)).rejects.toBe(reason);
  expect(found).toEqual([]);
  expect(replica.fencing.takeProof(SMALL)).toBe(true); // still unproved
});

describe('the state of fencing', () => {
  test('belongs to the destination: one proof is enough for all replicas', async () => {
    const inner = memoryClient();
    const wrapped = new Destination(inner);
    const writes: string[] = [];
    const open = (path: string): FencedReplica => ({
      client: wrapped.replica(path),
      unsettled: {
        ...filesOf(wrapped.client, path),
        async writeFile(...given) {
          writes.push(path);
          return await wrapped.unsettled(path).writeFile(...given);
        },
      },
      capabilities: wrapped.capabilities,
      fencing: wrapped.fencing,
    });
    const onFound = (): void => undefined;
    const body = bodyOf(bytesOf(SMALL));
    const paths = ['a', 'b', 'c'];
    await Promise.all(
      paths.map((path) => writeFenced(open(path), { file: ref(0, 1), body, onFound })),
    );
    expect(writes).toHaveLength(1);
  });

  test('is not tested if conditions are not claimed', async () => {
    const { write, asked } = server(() => 'heed', { ranges: true });
    await write(1);
    expect(asked).toEqual([`none ${SMALL}`]);
  });

  test('respects the claimed size limit', () => {
    const fencing = new Fencing();
    const upTo: Capabilities = { conditions: { sizeMax: 500 } };
    expect(fencing.conditionFor(upTo, 500)).toBe('if-absent');
    expect(fencing.conditionFor(upTo, 501)).toBeUndefined();
  });
});
