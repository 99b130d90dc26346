/**
 * Destinations that are slow, fail sometimes (also after the write), refuse everything, hang, or refuse
 * the files of one level, which leaves a full snapshot partly uploaded.
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
  /** The destination does not exist, like a disk that is not mounted. */
  | 'missing'
  /** Listings take LATE_MS. */
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

/** `fault` is evaluated at every call, so it can start and end while the destination is in use. */
export function withFault(destination: ReplicaClient, fault: () => Fault): ReplicaClient {
  return changeFiles(destination, (client) => faulty(client, fault));
}

function faulty(client: Files, fault: () => Fault): Files {
  return {
    async *listFiles(level, options) {
      const now = fault();
      await applyFault(now, options?.signal);
      if (now === 'late') await sleep(LATE_MS, undefined, { signal: options?.signal });
      yield* client.listFiles(level, options);
    },
    async openFile(file, options) {
      await applyFault(fault(), options?.signal);
      return await client.openFile(file, options);
    },
    async writeFile(file, body, options) {
      const now = fault();
      await applyFault(now, options?.signal);
      if (now === `refusing level ${file.level}`) throw unavailable(`at level ${file.level}`);
      if (now === `forbidding level ${file.level}`) throw forbidden(file.level);
      if (now === 'slow') {
        await sleep(Math.random() * SLOW_MS_MAX, undefined, { signal: options?.signal });
      }
      const roll = now === 'failing' ? Math.random() : 1;
      if (roll < FAILS_BEFORE) throw unavailable('before the write');
      const info = await client.writeFile(file, body, options);
      if (roll < FAILS_BEFORE + FAILS_AFTER) throw unavailable('after the write');
      return info;
    },
    deleteFiles: (files, options) => client.deleteFiles(files, options),
  };
}

async function applyFault(fault: Fault, signal: AbortSignal | undefined): Promise<void> {
  if (fault === 'refusing') throw unavailable('always');
  if (fault === 'missing') {
    const message = 'this destination does not exist (injected fault)';
    throw new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }
  if (fault === 'hanging') await sleep(HANG_MS, undefined, { signal });
}

function forbidden(level: number): ReplicationError {
  const message = `this destination refuses files of level ${level} (injected fault)`;
  return new ReplicationError('REPLICA_PERMISSION_DENIED', message);
}

function unavailable(when: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_UNAVAILABLE',
    `this destination fails ${when} (injected fault)`,
  );
}
