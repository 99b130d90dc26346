/**
 * Tests the kit with backends that break one promise each ("saboteurs"). Exactly the cases listed for
 * a saboteur must fail. The model test with random calls may detect any of them, so it is counted
 * separately. The test prints which cases detected which saboteur.
 */

import { toTXID } from '@sluice/core/backend/testing';
import { afterAll, expect, test } from 'vitest';

import { CASES, runCase, type Result } from '../src/index.ts';
import { LAYERS } from '../src/subject.ts';
import { ABORTING_SABOTEURS } from './saboteurs/aborting.ts';
import { CONFIGURING_SABOTEURS } from './saboteurs/configuring.ts';
import { EMPTYING_SABOTEURS } from './saboteurs/emptying.ts';
import { FILE_SABOTEURS } from './saboteurs/files.ts';
import { LISTING_SABOTEURS } from './saboteurs/listing.ts';
import { NETWORK_SABOTEURS } from './saboteurs/network.ts';
import { OBJECT_SABOTEURS } from './saboteurs/objects.ts';
import { CONNECTING_SABOTEURS } from './saboteurs/connecting.ts';
import { LOCAL_SABOTEURS } from './saboteurs/local.ts';
import { READING_SABOTEURS } from './saboteurs/reading.ts';
import { inFiles, type Saboteur } from './saboteurs/saboteur.ts';
import { WRITING_SABOTEURS } from './saboteurs/writing.ts';
import { subjectOf } from './world.ts';

const SABOTEURS: readonly Saboteur[] = [
  ...CONFIGURING_SABOTEURS,
  ...CONNECTING_SABOTEURS,
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
/** The memory client responds immediately: a case that takes longer hangs. */
const CASE_MS_MAX = 5_000;
const GROUP_MAX = 3;

/** Random calls may detect any saboteur, so this case is not part of groups. */
const RANDOM = 'model/random-calls';
/** The saboteurs of durability cases are in test/conformance/durability.test.ts. */
const DURABILITY = /^durability\//;

const matrix: string[] = [];
const foundByRandomCalls: string[] = [];
afterAll(() => console.log(['saboteur -> cases that failed', ...matrix].join('\n')));

async function runAll({ does, layer = 'bare', ...options }: Saboteur): Promise<Result[]> {
  const subject = subjectOf(does, options);
  const setup = await subject.open();
  const results: Result[] = [];
  for (const testCase of CASES) {
    results.push(
      await runCase(testCase, subject, setup, layer, { seed: 1, caseMsMax: CASE_MS_MAX }),
    );
  }
  return results;
}

test.each(LAYERS)('a correct backend passes, %s', async (layer) => {
  const results = await runAll({ does: 'nothing wrong', group: [], layer });
  expect(results.filter(({ status }) => status === 'failed')).toEqual([]);
});

// Side by side: many of them wait for a time limit.
test.concurrent.each(SABOTEURS)('a backend that $does fails $group', async (saboteur) => {
  const results = await runAll(saboteur);
  const broken = results.filter(({ status }) => status === 'failed').map(({ id }) => id);
  const found = broken.filter((id) => id !== RANDOM);
  if (broken.includes(RANDOM)) foundByRandomCalls.push(saboteur.does);
  matrix.push(`${saboteur.does} -> ${broken.join(', ')}`);
  expect(found.toSorted()).toEqual(saboteur.group.toSorted());
});

test('random calls find a bug that no other case finds, and many saboteurs', async () => {
  const results = await runAll(ORDER_DEPENDENT);
  const broken = results.filter(({ status }) => status === 'failed').map(({ id }) => id);
  matrix.push(`${ORDER_DEPENDENT.does} -> ${broken.join(', ')}`);
  expect(broken).toEqual([RANDOM]);
  expect(foundByRandomCalls.length).toBeGreaterThanOrEqual(8);
});

test('every promise has a saboteur, and no group is large', () => {
  expect(SABOTEURS.length).toBeGreaterThanOrEqual(40);
  expect(SABOTEURS.filter(({ group }) => group.length > GROUP_MAX)).toEqual([]);
  const covered = new Set(SABOTEURS.flatMap(({ group }) => group));
  const ids = CASES.map(({ id }) => id).filter((id) => id !== RANDOM && !DURABILITY.test(id));
  expect(ids.filter((id) => !covered.has(id))).toEqual([]);
  expect([...covered].filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

/** Fails only if two files with certain names are written in a certain order. */
const ORDER_DEPENDENT: Saboteur = inFiles(
  'deletes the file with the next maxTXID after a write',
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
