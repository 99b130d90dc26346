/** Buckets written by Litestream 0.3.13 are restored to the bytes that it restores, at every moment. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { restoreV03 } from '../../src/v03/restore.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { goldenBucket } from './bucket.ts';

function sha256(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

describe.each(['v03-4k', 'v03-two-generations'])('%s', (name) => {
  test.each(['tree', 'levels'] as const)(
    'at every moment, at a client of layout %s',
    async (layout) => {
      const { bucket, moments } = goldenBucket(name, 'backups/db');
      const output = path.join(temporaryFolder(), 'restored.db');
      const got: Record<string, string> = {};
      for (const { at } of moments) {
        await restoreV03({
          source: bucket.source(layout, 'backups/db'),
          target: { at: new Date(at) },
          output,
          overwrite: 'replace',
        });
        got[at] = sha256(output);
      }
      expect(moments.length).toBeGreaterThan(10);
      expect(got).toEqual(
        Object.fromEntries(moments.map(({ at, file_sha256 }) => [at, file_sha256])),
      );
    },
  );

  test('the latest state passes the integrity check, and nothing is left behind', async () => {
    const { bucket } = goldenBucket(name);
    const folder = temporaryFolder();
    const output = path.join(folder, 'restored.db');
    const report = await restoreV03({
      source: bucket.source(),
      target: {},
      output,
      integrityCheck: 'full',
    });
    expect(report.filesRead).toBe(bucket.keys.length);
    expect(fs.readdirSync(folder)).toEqual(['restored.db']);
  });
});
