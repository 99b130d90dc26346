/** A folder for each test, and connections to it. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { toTXID, type LTXFileRef, Replica } from '@sluice/core/backend/testing';
import { type ReplicaClient, parseConfig } from '@sluice/core/backend';
import { onTestFinished } from 'vitest';

import { backend } from '../src/index.ts';

export interface Opened {
  /** The replica's root. It does not exist yet. */
  readonly root: string;
  readonly logged: string[];
  readonly connect: (access?: 'read' | 'write') => Promise<ReplicaClient>;
  readonly replica: (access?: 'read' | 'write') => Promise<Replica>;
}

export async function openFolder(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-file-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'backups', 'app');
  const logged: string[] = [];
  const log = (message: string): void => void logged.push(message);
  const logger = { debug: log, info: log, warn: log, error: log };
  const connect = async (access: 'read' | 'write' = 'write'): Promise<ReplicaClient> => {
    const destination = await backend.connect(parseConfig(backend, { path: root }).config, {
      access,
      logger,
    });
    onTestFinished(() => destination.close());
    return destination;
  };
  return {
    root,
    logged,
    connect,
    replica: async (access) => new Replica(await connect(access), root),
  };
}

export function ref(level: number, minTXID: number, maxTXID = minTXID): LTXFileRef {
  return { level, minTXID: toTXID(minTXID), maxTXID: toTXID(maxTXID) };
}

/** All names below a folder. */
export async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries.toSorted((a, b) => (a < b ? -1 : 1));
}
