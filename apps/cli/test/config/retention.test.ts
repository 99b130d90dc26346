/** Which of the keys for retention counts, and values that are refused. */

import { stringify } from 'yaml';
import { expect, test } from 'vitest';
import { readText, type Values } from '../support/configuration.ts';

const HOUR_MS = 3_600_000;

async function retentionOf(
  top: Values,
  database: Values = {},
  replica: Values = {},
): Promise<unknown> {
  const replicas = [{ path: '/backup', ...replica }];
  const text = stringify({ ...top, dbs: [{ path: '/data/app.db', replicas, ...database }] });
  const { databases } = await readText(text);
  return databases[0]?.destinations[0]?.retention;
}

test('three days are kept by default, and level 0 for five minutes after it was written', async () => {
  expect(await retentionOf({})).toEqual({
    retentionMs: 72 * HOUR_MS,
    l0RetentionMs: 300_000,
    topLevel: 3,
  });
  expect(await retentionOf({ 'l0-retention': 0 })).toMatchObject({ l0RetentionMs: Infinity });
});

test('a destination counts before its database, and the database before the top level', async () => {
  const [snapshots, top] = [{ snapshot: { retention: '1h' } }, { retention: '2h' }];
  const [database, replica] = [{ snapshot: { retention: '3h' } }, { retention: '4h' }];
  const hours = async (...given: Parameters<typeof retentionOf>): Promise<number> =>
    ((await retentionOf(...given)) as { retentionMs: number }).retentionMs / HOUR_MS;
  expect(await hours(snapshots)).toBe(1);
  expect(await hours({ ...snapshots, ...top })).toBe(2);
  expect(await hours({ ...snapshots, ...top }, database)).toBe(3);
  expect(await hours({ ...snapshots, ...top }, database, replica)).toBe(4);
  expect(await hours({}, {}, { retention: { period: '5h', enabled: true } })).toBe(5);
});

test('retention.enabled: false keeps everything, and a destination can differ', async () => {
  const off = { retention: { enabled: false } };
  expect(await retentionOf(off)).toBeUndefined();
  expect(await retentionOf(off, {}, { retention: '4h' })).toBeUndefined();
  expect(await retentionOf(off, {}, { retention: { enabled: true } })).toBeDefined();
  expect(await retentionOf({}, {}, off)).toBeUndefined();
});

test.for([
  ['0', /retention must be at least 1m; to delete nothing, write \{ enabled: false \}/],
  ['10s', /retention must be at least 1m/],
  ['3 days', /retention must be a duration such as 72h/],
  [{ enabled: 'no way' }, /retention must have true or false as enabled/],
  [{ enable: false }, /retention.enable is not a key of retention: did you mean enabled/],
] as const)('%j is refused', async ([value, message]) => {
  await expect(retentionOf({ retention: value })).rejects.toThrow(message);
  await expect(retentionOf({}, {}, { retention: value })).rejects.toThrow(message);
});

test('snapshots can have a time of day, if the interval is a day or more', async () => {
  const optionsOf = async (top: Values, database: Values = {}): Promise<unknown> => {
    const dbs = [{ path: '/data/app.db', replicas: [{ path: '/backup' }], ...database }];
    return (await readText(stringify({ ...top, dbs }))).databases[0]?.options;
  };
  const top = { snapshot: { at: '03:30' } };
  expect(await optionsOf(top)).toMatchObject({ snapshotAtMinutes: 210 });
  expect(await optionsOf(top, { snapshot: { at: '23:00' } })).toMatchObject({
    snapshotAtMinutes: 1_380,
  });
  await expect(optionsOf({ snapshot: { at: '3 am' } })).rejects.toThrow(
    /snapshot.at must be a time of day such as 03:00/,
  );
  await expect(optionsOf({ snapshot: { at: '03:00', interval: '6h' } })).rejects.toThrow(
    /snapshot.at needs a snapshot.interval of at least 24h/,
  );
});
