/** What an aborted write leaves, and what becomes of named objects: found out by a check. */

import { describe, expect, test } from 'vitest';

import type { Logger } from '../../src/store/backend.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { plain } from '../support/files-view.ts';
import { changeObjects, type Objects } from '../support/objects-view.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { checkFailure } from '../../src/check/report.ts';
import { ALL_WORKS, check, memoryThat, seenOf, verdicts } from './fixtures.ts';
import { error } from '../store/fixtures.ts';

describe('a write that is aborted', () => {
  /** Says what it has to when it closes, as a backend does that cleans up in the background. */
  function warning(store: MemoryStore, fields?: Record<string, unknown>) {
    return async (logger: Logger): Promise<ReplicaClient> => {
      const inner = memoryClient({ store });
      logger.warn('a part is sent again');
      return {
        ...plain(inner),
        async close() {
          logger.warn('its parts could not\nbe removed', fields);
          await inner.close();
        },
      };
    };
  }

  test('and whose parts stay for want of a right names that right, and is no failure', async () => {
    const store = new MemoryStore();
    const connect = warning(store, { code: 'REPLICA_PERMISSION_DENIED' });
    const report = await check(memoryClient({ store }), { connect });
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, abort: 'does not' });
    expect(report.features.find(({ feature }) => feature === 'abort')).toMatchObject({
      seen: 'its parts could not be removed',
      missing: 'abort',
      next: expect.stringContaining('lifecycle rule') as string,
    });
    expect(checkFailure(report)).toBeUndefined();
    expect(store.objects.size).toBe(0);
  });

  test('and whose parts stay for another reason names no right', async () => {
    const store = new MemoryStore();
    const report = await check(memoryClient({ store }), { connect: warning(store) });
    expect(verdicts(report)['abort']).toBe('does not');
    expect(report.features.some(({ missing }) => missing !== undefined)).toBe(false);
  });

  test('is not judged by warnings of what came before it', async () => {
    const store = new MemoryStore();
    const report = await check(memoryClient({ store }), {
      connect: async (logger) => {
        logger.warn('a part is sent again');
        return memoryClient({ store });
      },
    });
    expect(verdicts(report)).toEqual(ALL_WORKS);
  });

  test('and is done all the same is found out, and removed', async () => {
    const store = new MemoryStore();
    const destination = memoryThat(
      (client) => ({
        async writeFile(file, body, options) {
          try {
            return await client.writeFile(file, body, options);
          } catch (reason) {
            const { sizeBytes, createdAt } = body;
            const zeros = bodyFromBytes(new Uint8Array(sizeBytes), createdAt);
            if (options?.signal?.aborted === true) await client.writeFile(file, zeros);
            throw reason;
          }
        },
      }),
      { store },
    );
    const report = await check(destination);
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, abort: 'does not' });
    expect(seenOf(report, 'abort')).toContain('there all the same');
    expect(store.objects.size).toBe(0);
  });

  test('is not judged where the place cannot be opened again', async () => {
    const report = await check(memoryClient(), { connect: undefined });
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, abort: 'not judged' });
  });
});

describe('named objects', () => {
  function destinationThat(
    change: (objects: Objects) => Partial<Objects>,
    store = new MemoryStore(),
  ): ReplicaClient {
    return changeObjects(memoryClient({ store }), change);
  }

  const conditional = (status: number | undefined): ReplicaClient =>
    destinationThat((objects) => ({
      async put(name, bytes, options = {}) {
        if (options.condition !== undefined) throw error('REPLICA_UNSUPPORTED', { status });
        return await objects.put(name, bytes, options);
      },
    }));

  test.each<[string, ReplicaClient, string, string]>([
    [
      'that ignore conditions hold no lease',
      destinationThat((objects) => ({ put: (name, bytes) => objects.put(name, bytes) })),
      'does not',
      'are ignored by this server: no lease can be held',
    ],
    ['whose server knows no conditions hold none', conditional(501), 'does not', 'not known to'],
    [
      'that claim no conditions are not judged',
      conditional(undefined),
      'not judged',
      'not claimed',
    ],
    [
      'that refuse the version that is there cannot be renewed',
      destinationThat((objects) => ({
        async put(name, bytes, options = {}) {
          if (options.condition !== undefined) throw error('REPLICA_CONFLICT');
          return await objects.put(name, bytes, options);
        },
      })),
      'does not',
      'no lease can be renewed',
    ],
    [
      'that refuse another version and write it are found out',
      destinationThat((objects) => ({
        async put(name, bytes, options = {}) {
          try {
            return await objects.put(name, bytes, options);
          } catch (refusal) {
            await objects.put(name, bytes);
            throw refusal;
          }
        },
      })),
      'does not',
      'refused, and done all the same',
    ],
  ])('%s', async (_, destination, verdict, words) => {
    const report = await check(destination);
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-version': verdict });
    expect(seenOf(report, 'if-version')).toContain(words);
    expect(checkFailure(report)).toBeUndefined();
  });

  test.each<[string, (objects: Objects) => Partial<Objects>]>([
    ['are not listed', () => ({ list: async function* () {} })],
    [
      'are others than were written',
      (objects) => ({ put: (name, bytes, options) => objects.put(name, bytes.fill(0), options) }),
    ],
  ])('that %s are no failure, and let nothing be judged of versions', async (_, change) => {
    const report = await check(destinationThat(change));
    const expected = { objects: 'does not', 'if-version': 'not judged' };
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    expect(checkFailure(report)).toBeUndefined();
  });

  test('that cannot be deleted are named', async () => {
    const store = new MemoryStore();
    const deny = async (): Promise<never> =>
      await Promise.reject(error('REPLICA_PERMISSION_DENIED'));
    const report = await check(destinationThat(() => ({ delete: deny }), store));
    expect(report.left).toEqual([`${report.path}/lock.json`]);
    expect([...store.objects.keys()]).toEqual(report.left);
    expect(seenOf(report, 'delete')).toContain('the right to delete is missing');
  });
});
