/** Buckets written by Litestream are restored byte for byte at every listed TXID. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { restore } from '@sluice/core';
import { parseTXID } from '@sluice/core/ltx';
import { describe, expect, test } from 'vitest';
import { openFolder } from '../support/replica.ts';
import { temporaryFolder } from '../support/temporary.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

interface Expected {
  readonly restores: readonly { readonly txid: string; readonly file_sha256: string }[];
}

const buckets = fs
  .readdirSync(GOLDEN, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('v03'));

describe.each(buckets.map(({ name }) => name))('a bucket written by Litestream (%s)', (name) => {
  const text = fs.readFileSync(path.join(GOLDEN, name, 'expected.json'), 'utf8');
  const { restores } = JSON.parse(text) as Expected;

  test('is restored to the expected bytes at every TXID', async () => {
    const { client } = await openFolder(path.join(GOLDEN, name, 'bucket'));
    const output = path.join(temporaryFolder('golden'), 'restored.db');
    const got: Record<string, string> = {};
    for (const { txid } of restores) {
      const target = { kind: 'txid', txid: parseTXID(txid) } as const;
      await restore({
        sources: [{ name: 'one', client }],
        output,
        target,
        overwrite: 'replace',
        integrityCheck: 'full',
      });
      got[txid] = createHash('sha256').update(fs.readFileSync(output)).digest('hex');
    }
    expect(restores.length).toBeGreaterThan(0);
    expect(got).toEqual(Object.fromEntries(restores.map((at) => [at.txid, at.file_sha256])));
  });
});
