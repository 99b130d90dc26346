import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../src/log.ts';
import { Secrets } from '../src/secrets.ts';
import { LastResultsReader, type ResultsOf } from '../src/status/last-results.ts';
import { readText } from './support/configuration.ts';
import { Capture } from './support/shell.ts';
import { temporaryFolder } from './support/temporary.ts';

async function scene() {
  const folder = temporaryFolder();
  const database = path.join(temporaryFolder(), 'app.db');
  const { databases } = await readText(
    `dbs: [{ path: ${database}, meta-path: ${folder}, replica: { path: ${temporaryFolder()} } }]\n`,
  );
  const stream = new Capture();
  const logger = createLogger({ level: 'info', type: 'text', stream, secrets: new Secrets() });
  const reader = new LastResultsReader((): readonly ResultsOf[] => databases, logger);
  const target = databases[0]?.destinations[0]?.target;
  /** Replaces the file, as drills do. */
  const writeDrill = (result: string): void => {
    const drill = { name: 'file', target, at: '2026-02-01T12:00:00.000Z', result, problems: [] };
    fs.writeFileSync(path.join(folder, 'new'), JSON.stringify([drill]));
    fs.renameSync(path.join(folder, 'new'), path.join(folder, 'drill.json'));
  };
  const drillOf = async () => (await reader.read()).get(database)?.drills.get('file')?.result;
  return { folder, stream, reader, database, writeDrill, drillOf };
}

test('a drill is seen when its file is replaced, and is not read again otherwise', async () => {
  const { reader, database, writeDrill, drillOf } = await scene();
  expect(await drillOf()).toBeUndefined();
  writeDrill('ok');
  expect(await drillOf()).toBe('ok');
  const first = (await reader.read()).get(database);
  expect((await reader.read()).get(database)).toBe(first);
  writeDrill('failed');
  expect(await drillOf()).toBe('failed');
});

test('a file that cannot be read is a warning, and is tried again', async () => {
  const { folder, stream, drillOf, writeDrill } = await scene();
  fs.mkdirSync(path.join(folder, 'drill.json'));
  expect(await drillOf()).toBeUndefined();
  expect(await drillOf()).toBeUndefined();
  expect(stream.text.match(/lack the last drills and scrubs/g)?.length).toBe(2);
  fs.rmdirSync(path.join(folder, 'drill.json'));
  writeDrill('ok');
  expect(await drillOf()).toBe('ok');
});

test('a failed drill counts although its file cannot be read any more', async () => {
  const { folder, drillOf, writeDrill } = await scene();
  writeDrill('failed');
  expect(await drillOf()).toBe('failed');
  fs.rmSync(path.join(folder, 'drill.json'));
  fs.mkdirSync(path.join(folder, 'drill.json'));
  expect(await drillOf()).toBe('failed');
});

test('of many databases some are looked at in each read, and all in turn', async () => {
  const folders = Array.from({ length: 5 }, () => temporaryFolder());
  const dbs = folders.map((folder, index) => {
    return `{ path: ${temporaryFolder()}/${index}.db, meta-path: ${folder}, replica: { path: ${temporaryFolder()} } }`;
  });
  const { databases } = await readText(`dbs: [${dbs.join(', ')}]\n`);
  const logger = createLogger({
    ...{ level: 'info', type: 'text', stream: new Capture(), secrets: new Secrets() },
  });
  const reader = new LastResultsReader(() => databases, logger, 2);
  const write = (index: number, result: string): void => {
    const target = databases[index]?.destinations[0]?.target;
    const drill = { name: 'file', target, at: '2026-02-01T12:00:00.000Z', result, problems: [] };
    const folder = folders[index] ?? '';
    fs.writeFileSync(path.join(folder, 'new'), JSON.stringify([drill]));
    fs.renameSync(path.join(folder, 'new'), path.join(folder, 'drill.json'));
  };
  const count = async (result: string): Promise<number> =>
    [...(await reader.read()).values()].filter(
      ({ drills }) => drills.get('file')?.result === result,
    ).length;
  for (const index of folders.keys()) write(index, 'ok');
  expect(await count('ok')).toBe(5); // all are unknown
  for (const index of folders.keys()) write(index, 'failed');
  expect([await count('failed'), await count('failed'), await count('failed')]).toEqual([2, 4, 5]);
});
