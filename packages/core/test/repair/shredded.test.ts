/**
 * Shredded destinations: each of three loses or damages about 60 % of its objects, and each object survives
 * somewhere. `SLUICE_SHRED_SEEDS=1000` runs more seeds; `SLUICE_SEED` repeats one.
 */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { repair } from '../../src/repair/repair.ts';
import { outcomeOf } from '../../src/repair/report.ts';
import { restore } from '../../src/restore/restore.ts';
import { newKeys } from '../encryption/keys.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { databasesAt, givenUp, makeHistory, Place, shred, type MadeHistory } from './shredded.ts';
import type { Random } from '../support/random.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const SEEDS = Number(process.env['SLUICE_SHRED_SEEDS'] ?? 20);
const FIRST = seedOf();
const keys = await newKeys();

for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
  test(`repair refills three shredded destinations, seed ${seed}`, async () => {
    const random = randomFrom(seed);
    const made = makeHistory(random);
    const places = [
      new Place('a'),
      new Place('b', { layout: 'levels' }),
      new Place('c', { keys: seed % 10 === 0 ? keys.reader : undefined }),
    ];
    for (const place of places) await place.write(made.files);
    shred(places, made.files, random);
    const states = new Map<Place, ReadonlySet<number>>();
    for (const place of places) states.set(place, givenUp(await place.list()));

    const destinations = places.map((place) => place.target());
    const report = await repair({ destinations, mode: 'mend', read: 'all' });

    expect(report.unanswered).toEqual([]);
    expect(report.lost).toEqual([]);
    for (const place of places) await expectAll(place, made, states.get(place) ?? new Set());
    await expectRestores(random.pick(places), made, random);
    const again = await repair({ destinations, mode: 'dry-run', read: 'all' });
    expect(outcomeOf(again, 'dry-run')).toBe('whole');
  });
}

/** Every state, except those that a merged file may stand for. */
async function expectAll(
  place: Place,
  { history }: MadeHistory,
  exceptions: ReadonlySet<number>,
): Promise<void> {
  const databases = await databasesAt(place);
  for (let txid = 1; txid <= history.last; txid += 1) {
    const found = databases.get(txid);
    if (found === undefined) expect(exceptions, `TXID ${txid} at ${place.name}`).toContain(txid);
    else expect(Buffer.compare(found, history.bytes(txid)), `TXID ${txid}`).toBe(0);
  }
}

/** A restore of the newest state, and of another one. */
async function expectRestores(
  place: Place,
  { history }: MadeHistory,
  random: Random,
): Promise<void> {
  const folder = temporaryFolder();
  const others = [...(await databasesAt(place)).keys()];
  for (const txid of [history.last, random.pick(others)]) {
    const output = path.join(folder, `${txid}.db`);
    await restore({
      sources: [{ name: place.name, client: place.replica }],
      target: { kind: 'txid', txid: toTXID(txid) },
      output,
      overwrite: 'replace',
    });
    expect(Buffer.compare(fs.readFileSync(output), history.bytes(txid))).toBe(0);
  }
}
