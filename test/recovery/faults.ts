/**
 * Destinations that are slow, fail now and then (also after the write has happened), refuse all, hang,
 * or refuse the files of one level: for a while, so that an image stays half sent, or for good.
 */

import type { ReplicaClient } from '@sluice/core/backend';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReplicationError } from '@sluice/core';
import { changeFiles, type Files } from '../../packages/core/test/support/files-view.ts';

export type Fault =
  | 'none'
  | 'slow'
  | 'failing'
  | 'refusing'
  /** Its place is not there, as a disk that is not mounted: it is listed again before anything is sent. */
  | 'missing'
  /** It takes its time to list. */
  | 'late'
  | 'hanging'
  | 'refusing level 0'
  | 'refusing level 1'
  | 'forbidding level 9';

const SLOW_MS_MAX = 150;
const LATE_MS = 2_000;
const FAILS_BEFORE = 0.1;
const FAILS_AFTER = 0.1;
/** Longer than any test. */
const HANG_MS = 3_600_000;

/** `fault` is asked at every call: it may begin and end while the destination is in use. */
export function withFault(destination: ReplicaClient, fault: () => Fault): ReplicaClient {
  return changeFiles(destination, (client) => faulty(client, fault));
}

function faulty(client: Files, fault: () => Fault): Files {
  return {
    async *listFiles(level, options) {
      const now = fault();
      await meet(now, options?.signal);
      if (now === 'late') await sleep(LATE_MS, undefined, { signal: options?.signal });
      yield* client.listFiles(level, options);
    },
    async openFile(file, options) {
      await meet(fault(), options?.signal);
      return await client.openFile(file, options);
    },
    async writeFile(file, body, options) {
      const now = fault();
      await meet(now, options?.signal);
      if (now === `refusing level ${file.level}`) throw unavailable(`at level ${file.level}`);
      if (now === `forbidding level ${file.level}`) throw forbidden(file.level);
      if (now === 'slow') {
        await sleep(Math.random() * SLOW_MS_MAX, undefined, { signal: options?.signal });
      }
      const luck = now === 'failing' ? Math.random() : 1;
      if (luck < FAILS_BEFORE) throw unavailable('before the write');
      const info = await client.writeFile(file, body, options);
      if (luck < FAILS_BEFORE + FAILS_AFTER) throw unavailable('after the write');
      return info;
    },
    deleteFiles: (files, options) => client.deleteFiles(files, options),
  };
}

async function meet(fault: Fault, signal: AbortSignal | undefined): Promise<void> {
  if (fault === 'refusing') throw unavailable('always');
  if (fault === 'missing') {
    const message = 'this destination is not there, on purpose';
    throw new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }
  if (fault === 'hanging') await sleep(HANG_MS, undefined, { signal });
}

function forbidden(level: number): ReplicationError {
  const message = `this destination takes no file of level ${level}, on purpose`;
  return new ReplicationError('REPLICA_PERMISSION_DENIED', message);
}

function unavailable(when: string): ReplicationError {
  return new ReplicationError('REPLICA_UNAVAILABLE', `this destination fails ${when}, on purpose`);
}
