/** Restores the files of an hour of commits from the S3 test server, merged and as they were before. */

import fs from 'node:fs';
import path from 'node:path';
import { start } from '../../servers/s3/index.ts';
import { contest, restorers } from './contest.ts';
import { environmentOf, putFile, urlOf } from './on-s3.ts';
import type { Cost } from './cost.ts';

/** Keys of a memory client, such as `app/ltx/0/….ltx`. */
const KEY = /\/ltx\/(?<level>\d)\/(?<name>[^/]+\.ltx)$/;

/** Level 0 and full snapshots, or everything. */
export type Files = 'all' | 'not merged';

/** Median costs by program, and the number of files. */
export async function restoreHour(
  objects: ReadonlyMap<string, { readonly bytes: Uint8Array }>,
  files: Files,
  { folder, runs }: { readonly folder: string; readonly runs: number },
): Promise<{ costs: Readonly<Record<string, Cost>>; count: number }> {
  const server = await start();
  try {
    let count = 0;
    for (const [key, { bytes }] of objects) {
      const { level = '', name = '' } = KEY.exec(key)?.groups ?? {};
      const isWanted = files === 'all' ? level !== '' : level === '0' || level === '9';
      if (!isWanted) continue;
      count += 1;
      putFile(server, { level, name, bytes });
    }
    const output = path.join(folder, 'restored');
    const env = environmentOf(server);
    const costs = await contest(restorers(output, urlOf(server)), { runs, output, env });
    fs.rmSync(output, { force: true });
    return { costs, count };
  } finally {
    await server.stop();
  }
}
