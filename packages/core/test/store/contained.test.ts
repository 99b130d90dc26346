import { expect, test } from 'vitest';
import { bodyFromBytes, readBytes } from '../../src/store/body.ts';
import type { ObjectBody, ReplicaClient } from '../../src/store/client.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { contained, Containment, ownerOfEscaped } from '../../src/store/policy/contained.ts';
import { forward } from '../../src/store/policy/forward.ts';

const BODY = bodyFromBytes(Buffer.from('content'));

interface Scene {
  readonly containment: Containment;
  readonly client: ReplicaClient;
}

/** A client of which some methods are replaced. */
function sceneOf(replaced: Partial<ReplicaClient>): Scene {
  const containment = new Containment('s3://bucket/app');
  const bare = { ...forward(memoryClient()), ...replaced };
  return { containment, client: contained(bare, containment) };
}

test('code of a backend knows its destination, also in a timer, and other code does not', async () => {
  const owners: (Containment | undefined)[] = [];
  const { containment, client } = sceneOf({
    async delete() {
      owners.push(ownerOfEscaped());
      await new Promise<void>((resolve) => {
        setTimeout(() => {
          owners.push(ownerOfEscaped());
          resolve();
        });
      });
    },
  });
  await client.delete(['a']);
  expect(owners).toEqual([containment, containment]);
  expect(ownerOfEscaped()).toBeUndefined();
});

test('code of the caller that a backend runs is not attributed to it', async () => {
  const { containment, client } = sceneOf({});
  const owners: (Containment | undefined)[] = [];
  const body: ObjectBody = {
    sizeBytes: 1,
    async *open() {
      await Promise.resolve();
      owners.push(ownerOfEscaped());
      yield Buffer.from('x');
    },
  };
  await client.put('a', body);
  expect(owners).toEqual([undefined]);
  for await (const object of client.list('')) {
    expect(object.key).toBe('a');
    expect(ownerOfEscaped()).toBeUndefined();
  }
  expect(containment.broken.aborted).toBe(false);
});

test('a listener of a signal runs in the context of the backend that added it', async () => {
  let owner: Containment | undefined;
  const { containment, client } = sceneOf({
    delete: (_, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => {
          owner = ownerOfEscaped();
          reject(new Error('aborted'));
        });
      }),
  });
  const controller = new AbortController();
  const deleting = client.delete(['a'], { signal: controller.signal });
  controller.abort();
  await expect(deleting).rejects.toThrow('aborted');
  expect(owner).toBe(containment);
});

test('an escaped error fails the calls in flight and all later ones with its message', async () => {
  const never = new Promise<never>(() => undefined);
  const { containment, client } = sceneOf({
    put: () => never,
    async *list() {
      yield await never;
    },
  });
  const calls = [client.put('a', BODY), client.list('')[Symbol.asyncIterator]().next()];
  const cause = new Error('socket hang up');
  containment.escaped(cause);
  containment.escaped(new Error('a second one'));
  for (const call of [...calls, client.get('a'), client.delete(['a'])]) {
    await expect(call).rejects.toMatchObject({
      code: 'REPLICA_UNKNOWN',
      message: expect.stringContaining(
        'use s3://bucket/app: an error escaped from its backend: socket hang up',
      ) as string,
      cause,
    });
  }
});

/** Hangs after its first byte. */
async function* halfABody(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('x');
  await new Promise(() => undefined);
}

test('a body that is being read fails when an error escapes', async () => {
  const { containment, client } = sceneOf({
    get: () => Promise.resolve({ sizeBytes: 2, body: halfABody() }),
  });
  const { body } = await client.get('a');
  const reading = readBytes(body, 2);
  await Promise.resolve();
  containment.escaped(new Error('late'));
  await expect(reading).rejects.toMatchObject({ code: 'REPLICA_UNKNOWN' });
});

test('a method that throws at once rejects', async () => {
  const { client } = sceneOf({
    put() {
      throw new Error('at once');
    },
  });
  await expect(client.put('a', BODY)).rejects.toThrow('at once');
});
