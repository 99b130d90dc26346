/** Random histories, merged at random into files of all levels, are restored exactly. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { toTXID } from '../../src/ltx/txid.ts';
import { restore } from '../../src/restore/restore.ts';
import { randomFrom, seedOf, type Random } from '../support/random.ts';
import { Bucket, encodeFile, randomHistory, type History } from './bucket.ts';
import { timeOf } from './files.ts';
import { temporaryFolder } from './temporary.ts';

const ROUNDS = 60;

/** All of level 0, some merged files and snapshots, with mixed encodings. */
function fill(bucket: Bucket, history: History, random: Random): void {
  const put = (level: number, min: number, max: number): void => {
    const content = min === 1 ? history.image(max) : history.content(min, max);
    const encoding = random.pick(['block', 'frame'] as const);
    bucket.put(level, min, max, encodeFile(min, max, { ...content, encoding }));
  };
  put(9, 1, 1);
  for (let txid = 1; txid <= history.last; txid++) put(0, txid, txid);
  for (let i = random.int(0, 8); i > 0; i--) {
    const min = random.int(1, history.last);
    const max = random.int(min, history.last);
    if (random.chance(0.3)) put(9, 1, max);
    else put(random.int(1, 8), min, max);
  }
}

test('any history is restored at any TXID, with chunks of any size', async () => {
  const seed = seedOf();
  console.log(`restore history: SLUICE_SEED=${seed}`);
  const random = randomFrom(seed);
  const output = path.join(temporaryFolder(), 'restored.db');
  for (let round = 0; round < ROUNDS; round++) {
    const pageSize = random.pick([512, 1024, 4096, 16_384, 65_536]);
    const history = randomHistory(random, pageSize, random.int(1, 12));
    const bucket = new Bucket();
    fill(bucket, history, random);
    const ranges = random.chance(0.5);
    const client = bucket.client({
      chunkBytes: random.pick([1 + random.int(0, 200), 4096, 65_536, 1 << 20]),
    });
    const txid = random.int(1, history.last);
    const report = await restore({
      sources: [{ name: 'one', client, capabilities: ranges ? { ranges } : {} }],
      output,
      overwrite: 'replace',
      target: random.chance(0.5)
        ? { kind: 'txid', txid: toTXID(txid) }
        : { kind: 'timestamp', at: timeOf(txid) },
      parallelism: random.int(1, 10),
    });
    const bytes = fs.readFileSync(output);
    expect({ round, same: bytes.equals(history.bytes(txid)) }).toEqual({ round, same: true });
    expect(report).toMatchObject({ pageSize, commit: bytes.length / pageSize, avoided: [] });
    expect(report.timestamp).toBe(timeOf(txid).toISOString());
  }
});
