/**
 * The kit is tested by destinations that break one promise each: the cases that are listed for it
 * must fail, and no other may. The matrix is printed. Random calls (the model) may find anything,
 * and are judged apart.
 */

import { toTXID } from '@sluice/core/backend/testing';
import { afterAll, expect, test } from 'vitest';

import { CASES, judge, type Result } from '../src/index.ts';
import { LAYERS } from '../src/subject.ts';
import { ABORTING_SABOTEURS } from './saboteurs/aborting.ts';
import { CONFIGURING_SABOTEURS } from './saboteurs/configuring.ts';
import { EMPTYING_SABOTEURS } from './saboteurs/emptying.ts';
import { FILE_SABOTEURS } from './saboteurs/files.ts';
import { LISTING_SABOTEURS } from './saboteurs/listing.ts';
import { NETWORK_SABOTEURS } from './saboteurs/network.ts';
import { OBJECT_SABOTEURS } from './saboteurs/objects.ts';
import { PLACE_SABOTEURS } from './saboteurs/place.ts';
import { LOCAL_SABOTEURS } from './saboteurs/local.ts';
import { READING_SABOTEURS } from './saboteurs/reading.ts';
import { inFiles, type Saboteur } from './saboteurs/saboteur.ts';
import { WRITING_SABOTEURS } from './saboteurs/writing.ts';
import { subjectOf } from './world.ts';

const SABOTEURS: readonly Saboteur[] = [
  ...CONFIGURING_SABOTEURS,
  ...PLACE_SABOTEURS,
  ...NETWORK_SABOTEURS,
  ...LISTING_SABOTEURS,
  ...READING_SABOTEURS,
  ...LOCAL_SABOTEURS,
  ...WRITING_SABOTEURS,
  ...ABORTING_SABOTEURS,
  ...FILE_SABOTEURS,
  ...EMPTYING_SABOTEURS,
  ...OBJECT_SABOTEURS,
];
/** Memory answers at once: what takes so long hangs. */
const CASE_MS_MAX = 2_500;
const GROUP_MAX = 3;

/** May find anything, and is no case of one promise: not counted in groups. */
const RANDOM = 'model/random-calls';
/** Judged in processes of their own: test/conformance/durability.test.ts has their saboteurs. */
const OF_PROCESSES = /^durability\//;

const matrix: string[] = [];
const foundByChance: string[] = [];
afterAll(() => console.log(['what it does -> who found it', ...matrix].join('\n')));

async function judgeAll({ does, layer = 'bare', ...options }: Saboteur): Promise<Result[]> {
  const subject = subjectOf(does, options);
  const setup = await subject.open();
  const results: Result[] = [];
  for (const each of CASES) {
    results.push(await judge(each, subject, setup, layer, { seed: 1, caseMsMax: CASE_MS_MAX }));
  }
  return results;
}

test.each(LAYERS)('a place that breaks nothing passes whole, %s', async (layer) => {
  const results = await judgeAll({ does: 'nothing wrong', group: [], layer });
  expect(results.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
});

test.each(SABOTEURS)('what $does is found by $group', async (saboteur) => {
  const results = await judgeAll(saboteur);
  const broken = results.filter(({ verdict }) => verdict === 'broken').map(({ id }) => id);
  const found = broken.filter((id) => id !== RANDOM);
  if (broken.includes(RANDOM)) foundByChance.push(saboteur.does);
  matrix.push(`${saboteur.does} -> ${broken.join(', ')}`);
  expect(found.toSorted()).toEqual(saboteur.group.toSorted());
});

test('random calls find what no case looks for, and many a saboteur besides', async () => {
  const results = await judgeAll(FORGETFUL);
  const broken = results.filter(({ verdict }) => verdict === 'broken').map(({ id }) => id);
  matrix.push(`${FORGETFUL.does} -> ${broken.join(', ')}`);
  expect(broken).toEqual([RANDOM]);
  expect(foundByChance.length).toBeGreaterThanOrEqual(8);
});

test('every promise has a saboteur, and no group is large', () => {
  expect(SABOTEURS.length).toBeGreaterThanOrEqual(40);
  expect(SABOTEURS.filter(({ group }) => group.length > GROUP_MAX)).toEqual([]);
  const guarded = new Set(SABOTEURS.flatMap(({ group }) => group));
  const ids = CASES.map(({ id }) => id).filter((id) => id !== RANDOM && !OF_PROCESSES.test(id));
  expect(ids.filter((id) => !guarded.has(id))).toEqual([]);
  expect([...guarded].filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

/** Wrong only where two files of certain names are written in a certain order. */
const FORGETFUL: Saboteur = inFiles(
  'takes a file for the next version of the longer one beside it',
  [RANDOM],
  (client) => ({
    async writeFile(file, ...given) {
      const info = await client.writeFile(file, ...given);
      if (file.minTXID !== file.maxTXID || file.maxTXID > 9n) return info;
      await client.deleteFiles([{ ...file, maxTXID: toTXID(file.maxTXID + 1n) }]);
      return info;
    },
  }),
);
