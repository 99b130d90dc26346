/** What a reload changes, with random configurations. */

import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Config, DatabaseConfig } from '../../src/config/model.ts';
import { diffDatabases, isNoChange, settingsOfStart } from '../../src/daemon/diff.ts';
import { readText } from '../support/configuration.ts';
import { randomFrom, type Choose } from '../support/random.ts';

/** One database as it is written: its replication, and what only concerns its schedule. */
interface Written {
  readonly replication: object;
  readonly schedule: object;
}

type Configuration = ReadonlyMap<string, Written>;

function randomDatabase(name: string, choose: Choose): Written {
  const folders = choose([['one'], ['two'], ['one', 'two'], ['two', 'one']]);
  return {
    replication: {
      path: `/data/${name}.db`,
      'max-lag': choose(['1m', '2m']),
      'page-encoding': choose(['block', 'frame']),
      replicas: folders.map((folder) => ({
        name: choose(['', 'x']) + folder,
        path: `/backup/${folder}/${name}`,
        'sync-interval': choose(['1s', '2s']),
      })),
    },
    schedule: {
      drill: { every: choose(['0', '24h', '48h']) },
      scrub: { every: choose(['0', '168h']) },
      'restore-if-db-not-exists': choose([true, false]),
    },
  };
}

function randomConfiguration(choose: Choose): Configuration {
  const names = ['a', 'b', 'c', 'd', 'e'].filter(() => choose([true, true, false]));
  return new Map(names.map((name) => [`/data/${name}.db`, randomDatabase(name, choose)]));
}

/** Most databases stay as they are, or change in one part. */
function randomSuccessor(before: Configuration, choose: Choose): Configuration {
  const other = randomConfiguration(choose);
  const merged = [...other].map(([path, written]): [string, Written] => {
    const old = before.get(path) ?? written;
    const replication = choose([old.replication, old.replication, written.replication]);
    const schedule = choose([old.schedule, old.schedule, written.schedule]);
    return [path, { replication, schedule }];
  });
  return new Map(merged);
}

async function read(configuration: Configuration): Promise<readonly DatabaseConfig[]> {
  const dbs = [...configuration.values()].map((written) => ({
    ...written.replication,
    ...written.schedule,
  }));
  return dbs.length === 0 ? [] : (await readText(stringify({ dbs }))).databases;
}

const pathOf = ({ options }: DatabaseConfig): string => options.path;

test('each database is in the list that its settings say, whatever the configurations are', async () => {
  const choose = randomFrom();
  for (let round = 0; round < 30; round += 1) {
    const [old, next] = [randomConfiguration(choose), new Map()] as [Configuration, Configuration];
    const after = round % 10 === 0 ? next : randomSuccessor(old, choose);
    const before = await read(old);
    const wanted = await read(after);
    const { removed, added, changed, rescheduled, unchanged } = diffDatabases(before, wanted);
    const isSame = (path: string, part: keyof Written): boolean =>
      JSON.stringify(old.get(path)?.[part]) === JSON.stringify(after.get(path)?.[part]);
    const both = [...old.keys()].filter((path) => after.has(path)).sort();
    expect(removed.map(pathOf).sort()).toEqual([...old.keys()].filter((p) => !after.has(p)).sort());
    expect(added.map(pathOf).sort()).toEqual([...after.keys()].filter((p) => !old.has(p)).sort());
    expect(changed.map((each) => pathOf(each.after)).sort()).toEqual(
      both.filter((path) => !isSame(path, 'replication')),
    );
    expect(rescheduled.map((each) => pathOf(each.after)).sort()).toEqual(
      both.filter((path) => isSame(path, 'replication') && !isSame(path, 'schedule')),
    );
    expect(unchanged.map(pathOf).sort()).toEqual(
      both.filter((path) => isSame(path, 'replication') && isSame(path, 'schedule')),
    );
    // What continues keeps its object, by which drills and scrubs know it.
    for (const database of unchanged) expect(before).toContain(database);
    for (const each of [...changed, ...rescheduled]) {
      expect(before).toContain(each.before);
      expect(wanted).toContain(each.after);
    }
    expect(isNoChange(diffDatabases(wanted, await read(after)))).toBe(true);
  }
}, 120_000);

const DATABASE = 'dbs: [{ path: /d, replica: { path: /b } }]';

test.each([
  ['', '', []],
  ['addr: ":9000"', 'addr: ":9001"', ['addr']],
  ['', 'exec: sleep 1', ['exec']],
  ['logging: { level: info }', 'logging: { level: debug, type: json }', ['logging']],
  ['shutdown-sync-timeout: 1s', 'shutdown-sync-timeout: 2s', []],
])('%j, then %j: applies after a restart: %j', async (before, after, expected) => {
  const of = async (line: string): Promise<Config> => await readText(`${line}\n${DATABASE}\n`);
  expect(settingsOfStart(await of(before), await of(after))).toEqual(expected);
});
