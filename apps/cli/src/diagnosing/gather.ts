/** Facts about this machine and the files of a database, for a support bundle. */

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { completeOptions, messageOf, readFullySync } from '@sluice/core';
import type { DatabaseConfig } from '../config/model.ts';
import type { Environment } from '../shell.ts';
import { VARIABLES } from '../surface/environment.ts';

/** Lines of a log, from its end. */
const LOG_LINES_MAX = 200;
const LOG_BYTES_MAX = 256 * 1024;

export function describeMachine(): object {
  return {
    cpus: os.availableParallelism(),
    load: os.loadavg(),
    memory_bytes: os.totalmem(),
    free_memory_bytes: os.freemem(),
    uptime_seconds: Math.round(os.uptime()),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    uid: process.getuid?.(),
  };
}

/** Names only. */
export function variablesOf(environment: Environment): string[] {
  const known = VARIABLES.flatMap(({ name }) => name.split(', ')).map((name) =>
    name.endsWith('*') ? name.slice(0, -1) : name,
  );
  return Object.keys(environment)
    .filter((name) => known.some((each) => name.startsWith(each)))
    .sort();
}

export async function describeFiles({ options }: DatabaseConfig): Promise<object> {
  const { path: database, metaPath } = completeOptions(options);
  return {
    path: database,
    files: await Promise.all(['', '-wal', '-shm'].map((end) => describeFile(`${database}${end}`))),
    disk: await describeDisk(path.dirname(database)),
    staging: {
      path: metaPath,
      disk: await describeDisk(metaPath),
      ...(await describeFolder(metaPath)),
    },
  };
}

async function describeFile(file: string): Promise<object> {
  return await orError({ file }, async () => {
    const { size, mtime, mode, uid, gid } = await fs.stat(file);
    return { file, size, changed_at: mtime, mode: (mode & 0o7777).toString(8), uid, gid };
  });
}

async function describeDisk(folder: string): Promise<object> {
  return await orError({}, async () => {
    const { bsize, blocks, bavail, type } = await fs.statfs(folder);
    return { type: `0x${type.toString(16)}`, size: bsize * blocks, free: bsize * bavail };
  });
}

/** Number and size of all files in a folder, with those of its folders. */
async function describeFolder(folder: string): Promise<object> {
  return await orError({}, async () => {
    let count = 0;
    let bytes = 0;
    for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const stat = await fs.stat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
      count += 1;
      bytes += stat?.size ?? 0; // removed meanwhile
    }
    return { files: count, bytes };
  });
}

/** The end of a log file. */
export async function lastLines(file: string): Promise<object> {
  return await orError({ file }, async () => {
    const handle = await fs.open(file);
    try {
      const { size } = await handle.stat();
      const start = Math.max(0, size - LOG_BYTES_MAX);
      const buffer = Buffer.alloc(size - start);
      const bytesRead = readFullySync(handle.fd, buffer, start);
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
      return { file, lines: lines.filter((line) => line !== '').slice(-LOG_LINES_MAX) };
    } finally {
      await handle.close();
    }
  });
}

/** A bundle is wanted when something is wrong: what cannot be read is named. */
async function orError(known: object, read: () => Promise<object>): Promise<object> {
  try {
    return await read();
  } catch (error) {
    return { ...known, error: messageOf(error) };
  }
}
