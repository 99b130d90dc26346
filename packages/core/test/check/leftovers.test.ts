/** Checks of aborted writes and of named objects. */

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

describe('an aborted write', () => {
  /** Logs its warning when it closes, like a backend that cleans up in the background. */
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

  test('whose parts stay because a right is missing names that right, and is not a failure', async () => {
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

  test('whose parts stay for another reason names no right', async () => {
    const store = new MemoryStore();
    const report = await check(memoryClient({ store }), { connect: warning(store) });
    expect(verdicts(report)['abort']).toBe('does not');
    expect(report.features.some(({ missing }) => missing !== undefined)).toBe(false);
  });

  test('is not judged by earlier warnings', async () => {
    const store = new MemoryStore();
    const report = await check(memoryClient({ store }), {
      connect: async (logger) => {
        logger.warn('a part is sent again');
        return memoryClient({ store });
      },
    });
    expect(verdicts(report)).toEqual(ALL_WORKS);
  });

  test('that is done anyway is detected, and its file is deleted', async () => {
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
    expect(seenOf(report, 'abort')).toBe('the file of an aborted write exists');
    expect(store.objects.size).toBe(0);
  });

  test('is not judged if the destination cannot be opened again', async () => {
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
      'this server ignores conditions on versions: no lease can be held',
    ],
    [
      'hold no lease if the server does not support conditions',
      conditional(501),
      'does not',
      'does not support conditions on versions',
    ],
    [
      'without claimed conditions are not judged',
      conditional(undefined),
      'not judged',
      'not claimed',
    ],
    [
      'that refuse the current version cannot be renewed',
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
      'that refuse an old version but write anyway are detected',
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
      'refused, but done anyway',
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
      'have wrong bytes',
      (objects) => ({ put: (name, bytes, options) => objects.put(name, bytes.fill(0), options) }),
    ],
  ])('that %s are not a failure, but versions are not judged', async (_, change) => {
    const report = await check(destinationThat(change));
    const expected = { objects: 'does not', 'if-version': 'not judged' };
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    expect(checkFailure(report)).toBeUndefined();
  });

  test('that cannot be deleted are reported', async () => {
    const store = new MemoryStore();
    const deny = async (): Promise<never> =>
      await Promise.reject(error('REPLICA_PERMISSION_DENIED'));
    const report = await check(destinationThat(() => ({ delete: deny }), store));
    expect(report.left).toEqual([`${report.path}/lock.json`]);
    expect([...store.objects.keys()]).toEqual(report.left);
    expect(seenOf(report, 'delete')).toContain('the right to delete is missing');
  });
});
