/** A database, its backup and the restored copy. */

import path from 'node:path';
import { expect } from 'vitest';
import { addRows, countRows } from './database.ts';
import { runProcess } from './process.ts';
import { temporaryFolder } from './temporary.ts';

export interface Scene {
  readonly folder: string;
  readonly database: string;
  readonly backup: string;
}

export function scene(rows: number): Scene {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  if (rows > 0) addRows(database, rows);
  const backup = path.join(folder, 'backup');
  return { folder, database, backup };
}

export async function rowsAt(backup: string): Promise<number> {
  const output = path.join(temporaryFolder(), 'restored.db');
  const { code, stderr } = await runProcess(['restore', '-o', output, `file://${backup}`]);
  expect([code, stderr]).toEqual([0, '']);
  return countRows(output);
}
