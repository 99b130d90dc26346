/**
 * The kit is tested by destinations that break one promise each: the cases that are listed for it
 * must fail, and no other may. The matrix is printed. Random calls (the model) may find anything,
 * and are judged apart.
 */

import { afterAll, expect, test } from 'vitest';

import { CASES, judge, type Result } from '../src/index.ts';
import { LAYERS } from '../src/subject.ts';
import { ABORTING_SABOTEURS } from './saboteurs/aborting.ts';
import { CONFIGURING_SABOTEURS } from './saboteurs/configuring.ts';
import { FILE_SABOTEURS } from './saboteurs/files.ts';
import { LISTING_SABOTEURS } from './saboteurs/listing.ts';
import { OBJECT_SABOTEURS } from './saboteurs/objects.ts';
import { PLACE_SABOTEURS } from './saboteurs/place.ts';
import { READING_SABOTEURS } from './saboteurs/reading.ts';
import type { Saboteur } from './saboteurs/saboteur.ts';
import { WRITING_SABOTEURS } from './saboteurs/writing.ts';
import { subjectOf } from './world.ts';

const SABOTEURS: readonly Saboteur[] = [
  ...CONFIGURING_SABOTEURS,
  ...PLACE_SABOTEURS,
  ...LISTING_SABOTEURS,
  ...READING_SABOTEURS,
  ...WRITING_SABOTEURS,
  ...ABORTING_SABOTEURS,
  ...FILE_SABOTEURS,
  ...OBJECT_SABOTEURS,
];
/** Memory answers at once: what takes so long hangs. */
const CASE_MS_MAX = 2_500;
const GROUP_MAX = 3;

const matrix: string[] = [];
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
  const found = results.filter(({ verdict }) => verdict === 'broken').map(({ id }) => id);
  matrix.push(`${saboteur.does} -> ${found.join(', ')}`);
  expect(found.toSorted()).toEqual(saboteur.group.toSorted());
});

test('every promise has a saboteur, and no group is large', () => {
  expect(SABOTEURS.length).toBeGreaterThanOrEqual(40);
  expect(SABOTEURS.filter(({ group }) => group.length > GROUP_MAX)).toEqual([]);
  const guarded = new Set(SABOTEURS.flatMap(({ group }) => group));
  const ids = CASES.map(({ id }) => id);
  expect(ids.filter((id) => !guarded.has(id))).toEqual([]);
  expect([...guarded].filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
