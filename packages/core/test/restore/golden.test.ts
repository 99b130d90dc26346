/** Buckets written by Litestream are restored byte for byte, at every TXID and every timestamp. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { formatTXID, parseTXID } from '../../src/ltx/txid.ts';
import type { RestoreTarget } from '../../src/restore/plan/listing.ts';
import { restore } from '../../src/restore/restore.ts';
import { surveyReplica } from '../../src/restore/plan/survey.ts';
import { bucketOf } from './bucket.ts';
import { temporaryFolder } from './temporary.ts';

const GOLDEN = fileURLToPath(new URL('../../../../test/fixtures/golden', import.meta.url));
const BUCKETS = fs.readdirSync(GOLDEN).filter((name) => /^(block|frame|mixed)/.test(name));

interface Expected {
  readonly restores: readonly { readonly txid: string; at: string; file_sha256: string }[];
}

describe.each(BUCKETS)('%s', (name) => {
  const { restores } = JSON.parse(
    fs.readFileSync(path.join(GOLDEN, name, 'expected.json'), 'utf8'),
  ) as Expected;
  const client = bucketOf(path.join(GOLDEN, name, 'bucket')).client();
  const wanted = new Map(restores.map((each) => [each.txid, each.file_sha256]));

  async function restoreAll(
    targets: readonly (readonly [string, RestoreTarget])[],
  ): Promise<Map<string, string>> {
    const output = path.join(temporaryFolder(), 'restored.db');
    const got = new Map<string, string>();
    for (const [txid, target] of targets) {
      const report = await restore({
        sources: [{ name: 'one', client }],
        output,
        target,
        overwrite: 'replace',
      });
      expect(report.txid).toBe(txid);
      got.set(txid, createHash('sha256').update(fs.readFileSync(output)).digest('hex'));
    }
    return got;
  }

  test('restores to the expected bytes at every TXID', async () => {
    const targets = restores.map(
      ({ txid }) => [txid, { kind: 'txid', txid: parseTXID(txid) }] as const,
    );
    expect(targets.length).toBeGreaterThan(10);
    expect(await restoreAll(targets)).toEqual(wanted);
  });

  test('restores to the same bytes by timestamp after each commit', async () => {
    // A time after the last commit has no known state.
    const known = restores.slice(0, -1);
    const targets = known.map(
      ({ txid, at }) => [txid, { kind: 'timestamp', at: new Date(at) }] as const,
    );
    const last = restores.at(-1)?.txid ?? '';
    const got = await restoreAll(targets);
    expect(got).toEqual(new Map([...wanted].filter(([txid]) => txid !== last)));
  });

  test('ends, for latest, with the highest TXID listed', async () => {
    const survey = await surveyReplica(client, { kind: 'latest' });
    expect(survey.kind === 'restorable' && formatTXID(survey.plan.txid)).toBe(
      restores.at(-1)?.txid,
    );
  });

  test('passes the integrity check of SQLite, which leaves nothing behind', async () => {
    const folder = temporaryFolder();
    const output = path.join(folder, 'restored.db');
    await restore({
      sources: [{ name: 'one', client }],
      output,
      target: { kind: 'latest' },
      integrityCheck: 'full',
    });
    expect(fs.readdirSync(folder)).toEqual(['restored.db']);
    const hash = createHash('sha256').update(fs.readFileSync(output)).digest('hex');
    expect(hash).toBe(restores.at(-1)?.file_sha256);
  });
});
