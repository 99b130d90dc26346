import { expect, test } from 'vitest';
import { quote, restoreCommand } from '../page/command.ts';
import { search, sort, stateOf, toTableRows, type TableRow } from '../page/table.ts';
import { toRow, type DatabaseRow } from '../src/rows.ts';
import { describeAge, describeBytes, describeSeconds, toClock } from '../src/words.ts';
import { destination, failingStatus, okDrill, status } from './support/fake-source.ts';
import type { DatabaseStatus } from '@sluice/core';

const NOW_MS = Date.now();

function row(of: DatabaseStatus): DatabaseRow {
  return toRow(of, { drills: [okDrill('near')], maxLagSeconds: 60, nowMs: NOW_MS });
}

function rows(...statuses: readonly DatabaseStatus[]): TableRow[] {
  return toTableRows(statuses.map(row), NOW_MS);
}

function names(found: readonly TableRow[]): string[] {
  return found.map(({ database, destination: at }) => `${database.path} ${at?.name ?? ''}`.trim());
}

test('one row for each database and destination, and one for a database without', () => {
  expect(names(rows(status('/a.db'), status('/b.db', { destinations: [] })))).toEqual([
    '/a.db near',
    '/a.db offsite',
    '/b.db',
  ]);
});

test('a search finds rows with all of its words, in any case', () => {
  const all = rows(status('/data/Tenant-7.db'), failingStatus('/data/tenant-8.db'));
  expect(names(search(all, 'TENANT-7'))).toEqual([
    '/data/Tenant-7.db near',
    '/data/Tenant-7.db offsite',
  ]);
  expect(names(search(all, ' failing  tenant '))).toEqual(['/data/tenant-8.db offsite']);
  expect(names(search(all, 'file:///backup/near'))).toHaveLength(2);
  expect(search(all, 'nothing')).toEqual([]);
  expect(search(all, '  ')).toBe(all);
});

test('names sort with their numbers, in both directions', () => {
  const near = { destinations: [destination('near')] };
  const all = rows(status('/t-10.db', near), status('/t-9.db', near), status('/t-100.db', near));
  const ascending = ['/t-9.db near', '/t-10.db near', '/t-100.db near'];
  expect(names(sort(all, { key: 'database', direction: 1 }))).toEqual(ascending);
  expect(names(sort(all, { key: 'database', direction: -1 }))).toEqual(ascending.toReversed());
});

test('the worst state first, equal ones by their names', () => {
  const all = rows(
    status('/b.db'),
    status('/c.db', { state: 'waiting' }),
    failingStatus('/d.db'),
    status('/a.db'),
  );
  const sorted = sort(all, { key: 'state', direction: 1 });
  expect(names(sorted)).toEqual([
    '/d.db offsite',
    '/c.db near',
    '/c.db offsite',
    '/a.db near',
    '/a.db offsite',
    '/b.db near',
    '/b.db offsite',
    '/d.db near',
  ]);
  expect(names(sort(all, { key: 'lag', direction: -1 }))[0]).toBe('/d.db offsite');
});

test('10,000 rows of 5,000 databases are searched and sorted quickly', () => {
  const databases = Array.from({ length: 5_000 }, (_, index) =>
    row(status(`/data/tenant-${index}.db`)),
  );
  const startedMs = performance.now();
  const all = toTableRows(databases, NOW_MS);
  const found = search(all, '499');
  sort(all, { key: 'success', direction: -1 });
  sort(all, { key: 'database', direction: 1 });
  const tookMs = performance.now() - startedMs;
  expect(all).toHaveLength(10_000);
  expect(names(found)).toContain('/data/tenant-4999.db offsite');
  expect(tookMs).toBeLessThan(5_000); // 40 ms on an idle machine
});

test('a state is red only where something is wrong', () => {
  const labels = (of: DatabaseStatus): string[] => {
    const database = row(of);
    return database.destinations.map((each) => {
      const { color, label } = stateOf(database, each, NOW_MS);
      return `${color} ${label}`;
    });
  };
  expect(labels(failingStatus('/a.db'))).toEqual(['green up to date', 'red failing']);
  expect(labels(status('/a.db', { healthy: false }))[0]).toBe('red not healthy');
  expect(labels(status('/a.db', { at: '2020-01-01T00:00:00Z' }))[0]).toBe('red not seen');
  expect(labels(status('/a.db', { state: 'ended' }))[0]).toBe('red ended');
  const stuck = { healthy: false, problems: [{ stage: 'look', message: 'x' }] } as const;
  expect(labels(status('/a.db', stuck))).toEqual(['red stuck', 'red stuck']);
  const seeding = { destinations: [destination('near', { state: 'seeding' })] };
  expect(labels(status('/a.db', seeding))).toEqual(['amber first snapshot']);
});

test('the command quotes what a shell would change', () => {
  const at = '2026-01-31T12:00:00.000Z';
  const configFile = '/etc/sluice.yml';
  expect(restoreCommand({ path: '/data/app.db', at, configFile })).toBe(
    `sluice restore -config /etc/sluice.yml -timestamp ${at} -o /data/app.db.restored /data/app.db`,
  );
  expect(restoreCommand({ path: "/it's $HOME.db", at: undefined, configFile: undefined })).toBe(
    String.raw`sluice restore -o '/it'\''s $HOME.db.restored' '/it'\''s $HOME.db'`,
  );
  expect(quote('')).toBe("''");
});

test('amounts are rounded up, ages down', () => {
  expect([0.04, 9.91, 59.2, 119, 121, 7_199, 7_201, 200_000].map(describeSeconds)).toEqual([
    '0.1 s',
    '10 s',
    '60 s',
    '119 s',
    '3 min',
    '120 min',
    '3 h',
    '3 days',
  ]);
  expect([119.9, 7_199, 172_799, 200_000].map(describeAge)).toEqual([
    '119 s',
    '119 min',
    '47 h',
    '2 days',
  ]);
  expect([0, 1_023, 1_024, 1_536 * 1_024, 300 * 1024 ** 3].map(describeBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '300 GiB',
  ]);
  const now = new Date(2026, 0, 31, 15);
  expect(toClock(new Date(2026, 0, 31, 9, 5, 7).toISOString(), now)).toBe('09:05:07');
  expect(toClock(new Date(2026, 0, 30, 9, 5, 7).toISOString(), now)).toBe('2026-01-30 09:05:07');
  expect(toClock('?', now)).toBe('?');
});
