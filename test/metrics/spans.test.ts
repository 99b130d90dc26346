/** Spans of OpenTelemetry for the work of the command line tool. */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { CLIProcess, runProcess } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'record-spans.mjs')).href;

interface Span {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly status: number;
}

test('each sync, compaction and restore is a span', async () => {
  const folder = temporaryFolder('spans');
  const [database, spansFile] = [path.join(folder, 'app.db'), path.join(folder, 'spans')];
  const backup = path.join(folder, 'backup');
  const app = new Database(database);
  onTestFinished(() => void app.close());
  app.pragma('journal_mode = wal');
  app.exec('CREATE TABLE t (x)');
  const config = path.join(folder, 'sluice.yml');
  fs.writeFileSync(
    config,
    `levels: [{ interval: 200ms }]\nsync-interval: 20ms\ndbs: [{ path: ${database}, replica: { name: disk, path: ${backup} } }]\n`,
  );
  fs.writeFileSync(spansFile, '');
  const spans = (): Span[] =>
    fs
      .readFileSync(spansFile, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Span);
  const env = { SPANS: spansFile, NODE_OPTIONS: `--import ${PRELOAD}` };
  const sluice = new CLIProcess(['replicate', '-config', config], env);
  onTestFinished(() => sluice.kill('SIGKILL'));
  const writing = setInterval(() => void app.exec('INSERT INTO t VALUES (1)'), 30);
  onTestFinished(() => clearInterval(writing));
  await until('there are spans of a sync and of a compaction', () => {
    const names = new Set(spans().map(({ name }) => name));
    return names.has('sluice.sync') && names.has('sluice.compaction');
  });
  clearInterval(writing);
  sluice.kill('SIGTERM');
  await sluice.ended();
  const output = path.join(folder, 'restored.db');
  const words = ['restore', '-o', output, '-config', config, database];
  expect((await runProcess(words, env)).code).toBe(0);
  const found = spans();
  const of = (name: string): Span | undefined => found.find((span) => span.name === name);
  expect(of('sluice.sync')).toMatchObject({
    attributes: { 'sluice.database': database, 'sluice.destination': 'disk' },
    status: 0,
  });
  expect(of('sluice.sync')?.attributes['sluice.bytes']).toBeGreaterThan(0);
  expect(of('sluice.compaction')?.attributes).toMatchObject({
    'sluice.database': database,
    'sluice.level': 1,
  });
  const restores = found.filter(({ name }) => name === 'sluice.restore');
  expect(restores).toMatchObject([{ attributes: { 'sluice.output': output }, status: 0 }]);
});
