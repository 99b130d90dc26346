/** The section `drill`, and what the keys of Litestream become. */

import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { DrillSettings } from '../../src/config/fields/drill.ts';
import { readText, type Values } from '../support/configuration.ts';

const HOUR = 3_600_000;

interface Sections {
  readonly top?: Values;
  readonly database?: Values;
  readonly replica?: Values;
}

/** The settings of two destinations; `replica` is for the second one only. */
async function read({ top, database, replica }: Sections): Promise<(DrillSettings | undefined)[]> {
  const replicas = [
    { name: 'one', path: '/backup/one' },
    { name: 'two', path: '/backup/two', ...replica },
  ];
  const text = stringify({ dbs: [{ path: '/data/app.db', replicas, ...database }], ...top });
  const [config] = (await readText(text)).databases;
  return ['one', 'two'].map((name) => config?.drills[name]);
}

const hours = async (sections: Sections): Promise<(number | undefined)[]> =>
  (await read(sections)).map((settings) => settings && settings.everyMs / HOUR);

test('nothing is drilled unless the configuration says so', async () => {
  expect(await read({})).toEqual([undefined, undefined]);
  expect(await read({ top: { drill: {} } })).toEqual([undefined, undefined]);
});

test('all keys of the section', async () => {
  const drill = {
    every: '12h',
    at: 'random',
    assert: ['SELECT 1'],
    check: 'integrity',
    'max-bytes': '1GiB',
    scratch: '/mnt/scratch',
    bandwidth: '10MiB',
    keep: '2GiB',
  };
  const [settings] = await read({ top: { drill } });
  expect(settings).toEqual({
    everyMs: 12 * HOUR,
    at: 'random',
    assertions: ['SELECT 1'],
    integrityCheck: 'full',
    scratchBytesMax: 1024 ** 3,
    scratch: '/mnt/scratch',
    bandwidth: 10 * 1024 ** 2,
    keptBytesMax: 2 * 1024 ** 3,
  });
});

test('any key of the section turns drills on, once a day', async () => {
  const [settings] = await read({ top: { drill: { assert: ['SELECT 1'] } } });
  expect(settings).toMatchObject({ everyMs: 24 * HOUR, at: 'latest', integrityCheck: 'quick' });
});

test('a database overrides single keys, and can turn drills off', async () => {
  const top = { drill: { every: '12h', assert: ['SELECT 1'], at: 'random' } };
  const [settings] = await read({ top, database: { drill: { every: '2h', assert: [] } } });
  expect(settings).toMatchObject({ everyMs: 2 * HOUR, assertions: [], at: 'random' });
  expect(await hours({ top, database: { drill: { every: 0 } } })).toEqual([undefined, undefined]);
});

test.each<[string, Sections, (number | undefined)[]]>([
  ['of a destination', { replica: { 'validation-interval': '6h' } }, [undefined, 6]],
  ['at the top level', { top: { 'validation-interval': '6h' } }, [6, 6]],
  ['of 0.5', { top: { validation: { interval: '1h' } } }, [1, 1]],
  [
    'of a destination, before drill.every',
    { top: { drill: { every: '12h' } }, replica: { 'validation-interval': '6h' } },
    [12, 6],
  ],
  [
    'at the top level, after drill.every',
    { top: { drill: { every: '12h' }, validation: { interval: '1h' } } },
    [12, 12],
  ],
  [
    '0',
    { top: { drill: { every: '12h' } }, replica: { 'validation-interval': '0' } },
    [12, undefined],
  ],
])('validation-interval %s', async (_, sections, expected) => {
  expect(await hours(sections)).toEqual(expected);
});

test.each([
  [{ every: '10ms' }, /drill\.every must be at least 1s, or 0/],
  [{ at: 'noon' }, /drill\.at must be latest, random, or a time such as/],
  [{ at: '2026-02-30T00:00:00Z' }, /drill\.at does not exist in the calendar/],
  [{ check: 'full' }, /drill\.check must be one of quick, integrity, not "full"/],
  [{ assert: 'SELECT 1' }, /drill\.assert must be a list of texts/],
  [{ often: '1h' }, /often/],
])('%j is refused', async (drill, message) => {
  await expect(read({ top: { drill } })).rejects.toThrow(message);
});
