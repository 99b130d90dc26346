/** Applications as users write them: our packages are installed with npm, next to libraries for SQLite. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { install, release, run } from './support/release.ts';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const EXAMPLES = path.join(ROOT, 'examples', 'library');
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-library-'));
const RESTORE_MS_MAX = 60_000;
const ROWS = 50;

/** Prints `row <n>` when a row is durable, and `start <rows>` first. */
const ESM = `
import { DatabaseSync } from 'node:sqlite';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';

const sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});
const db = new DatabaseSync('app.db');
db.exec('PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS t (v INTEGER PRIMARY KEY)');
console.log('start', ...db.prepare('SELECT v FROM t').all().map(({ v }) => v));
for (;;) {
  const { lastInsertRowid } = db.prepare('INSERT INTO t DEFAULT VALUES').run();
  await sluice.database('app.db').durable();
  console.log('row', lastInsertRowid);
}
`;
const COMMON = `
const { DatabaseSync } = require('node:sqlite');
const { openSluice } = require('@sluice/core');
const { file } = require('@sluice/file');
(async () => {${ESM.slice(ESM.indexOf('\nconst sluice'))}})();
`;

let tarballs: Record<string, string> = {};

beforeAll(() => {
  const sources = ['packages/core', 'packages/file', 'packages/s3'];
  tarballs = release(path.join(FOLDER, 'tarballs'), ...sources);
});

afterAll(() => fs.rmSync(FOLDER, { recursive: true, force: true }));

interface App {
  readonly process: ChildProcess;
  readonly lines: AsyncIterableIterator<string>;
}

function start(folder: string, script: string, environment: NodeJS.ProcessEnv = {}): App {
  const app = spawn(process.execPath, [script], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void app.kill('SIGKILL'));
  return { process: app, lines: createInterface({ input: app.stdout })[Symbol.asyncIterator]() };
}

async function lineOf({ lines }: App): Promise<string> {
  return ((await lines.next()) as { readonly value?: string }).value ?? '';
}

async function kill({ process: app }: App): Promise<void> {
  const ended = once(app, 'exit');
  app.kill('SIGKILL');
  await ended;
}

function removeDatabase(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    if (name.startsWith('app.db')) fs.rmSync(path.join(folder, name));
  }
}

/** Tarballs of ours, and what the example wants from the registry. */
function installExample(folder: string): void {
  const file = path.join(folder, 'package.json');
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const dependencies = Object.entries(manifest.dependencies).map(([name, range]) => {
    const tarball = tarballs[name];
    return [name, tarball === undefined ? range : `file:${tarball}`];
  });
  fs.writeFileSync(file, JSON.stringify({ ...manifest, dependencies: {} }));
  install(folder, Object.fromEntries(dependencies) as Record<string, string>);
}

test.each([
  ['app.mjs', ESM],
  ['app.cjs', COMMON],
])(
  'the five lines in %s keep every acknowledged row when the database is lost',
  async (name, text) => {
    const folder = path.join(FOLDER, name.replace('.', '-'));
    install(folder, {
      '@sluice/core': `file:${tarballs['@sluice/core']}`,
      '@sluice/file': `file:${tarballs['@sluice/file']}`,
    });
    fs.writeFileSync(path.join(folder, name), text);
    const first = start(folder, name);
    expect(await lineOf(first)).toBe('start');
    for (let row = 1; row <= ROWS; row += 1) expect(await lineOf(first)).toBe(`row ${row}`);
    await kill(first);
    removeDatabase(folder);

    const since = performance.now();
    const second = start(folder, name);
    const [word, ...rows] = (await lineOf(second)).split(' ');
    expect(performance.now() - since).toBeLessThan(RESTORE_MS_MAX);
    expect([word, ...rows.slice(0, ROWS).map(Number)]).toEqual([
      'start',
      ...Array.from({ length: ROWS }, (_, index) => index + 1),
    ]);
    await kill(second);
  },
);

test('the example for each library for SQLite restores its lost database', () => {
  const folder = path.join(FOLDER, 'examples');
  fs.cpSync(EXAMPLES, folder, { recursive: true });
  installExample(folder);
  const programs = fs.readdirSync(EXAMPLES).filter((name) => /\.[cm]js$/.test(name));
  expect(programs).toHaveLength(6);
  for (const program of programs) expect(visits(folder, program)).toEqual([1, 2]);
});

test('the example for Prisma restores its lost database', () => {
  const folder = path.join(FOLDER, 'prisma');
  fs.cpSync(path.join(EXAMPLES, 'prisma'), folder, { recursive: true });
  installExample(folder);
  // Its engine for migrations, which npm does not install, is not needed to generate the client.
  const cli = path.join(folder, 'node_modules', 'prisma', 'build', 'index.js');
  run('env', ['PRISMA_SCHEMA_ENGINE_BINARY=/bin/true', process.execPath, cli, 'generate'], folder);
  expect(visits(folder, 'app.mjs')).toEqual([1, 2]);
});

/** Runs a program twice, and removes its database in between. */
function visits(folder: string, program: string): readonly number[] {
  const counts = [1, 2].map(() => {
    const output = run(process.execPath, [program], folder);
    removeDatabase(folder);
    return Number(/^visits: (\d+)$/m.exec(output)?.[1]);
  });
  fs.rmSync(path.join(folder, 'backup'), { recursive: true });
  fs.rmSync(path.join(folder, '.app.db-sluice'), { recursive: true });
  fs.rmSync(path.join(folder, '.app.db-sluice-id'), { force: true });
  return counts;
}

test('the server with Hono and Drizzle has every confirmed order after the loss of its database', async () => {
  const folder = path.join(FOLDER, 'hono');
  fs.cpSync(path.join(ROOT, 'examples', 'hono-drizzle'), folder, { recursive: true });
  installExample(folder);
  const environment = { PORT: '0', BACKUP_FOLDER: 'backup' };
  const first = start(folder, 'server.mjs', environment);
  const url = await addressOf(first);
  for (const item of ['tea', 'milk']) {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ item });
    const { status } = await fetch(`${url}/orders`, { method: 'POST', headers, body });
    expect(status).toBe(201);
  }
  await kill(first);
  removeDatabase(folder);
  const second = start(folder, 'server.mjs', environment);
  const again = await addressOf(second);
  const orders: unknown = await (await fetch(`${again}/orders`)).json();
  expect(orders).toEqual([
    { id: 1, item: 'tea' },
    { id: 2, item: 'milk' },
  ]);
  expect((await fetch(`${again}/health`)).status).toBe(200);
  const ended = once(second.process, 'exit');
  second.process.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

async function addressOf(app: App): Promise<string> {
  const port = /port (\d+)/.exec(await lineOf(app))?.[1];
  return `http://127.0.0.1:${port}`;
}
