/**
 * A backend of a third party, written with docs/write-a-backend.md, npm and our tarballs, outside of this
 * repository. It passes the kit, is loaded from the folder of the configuration, and restores a database.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { codeBlocks } from './support/blocks.ts';
import { install, npmPack, release, run } from './support/release.ts';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const EXAMPLE = path.join(ROOT, 'examples', 'backend-http');
const KV_EXAMPLE = path.join(ROOT, 'examples', 'backend-kv');
const KV_FILES = ['src', 'test', 'server.mjs', 'package.json', 'tsconfig.json'];
const PAGE = path.join(ROOT, 'docs', 'write-a-backend.md');
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-outsider-'));
const HTTP = path.join(FOLDER, 'sluice-http');
const KV = path.join(FOLDER, 'sluice-kv');
const PROJECT = path.join(FOLDER, 'place');
const CLI = path.join(FOLDER, 'cli');
const BACKENDS = ['file', 's3', 'gcs', 'azure', 'sftp'].map((name) => `@sluice/${name}`);
const CLI_NEEDS = ['@sluice/core', '@sluice/dashboard', ...BACKENDS];
/** Supported versions of TypeScript, from the oldest one to ours. */
const COMPILERS = { ts5: '5.9', ts6: '6', ts7: '7' };
const running: ChildProcess[] = [];

let tarballs: Record<string, string> = {};

beforeAll(() => {
  tarballs = release(
    path.join(FOLDER, 'tarballs'),
    'packages/core',
    'packages/backend-test-kit',
    'packages/file',
    'packages/s3',
    'packages/gcs',
    'packages/azure',
    'packages/sftp',
    'apps/dashboard',
    'apps/cli',
  );
  writePage();
  for (const file of KV_FILES) {
    fs.cpSync(path.join(KV_EXAMPLE, file), path.join(KV, file), { recursive: true });
  }
  install(KV, {
    ...ours('@sluice/core', '@sluice/backend-test-kit'),
    '@types/node': '24',
    typescript: COMPILERS.ts7,
  });
  install(HTTP, {
    ...ours('@sluice/core', '@sluice/backend-test-kit'),
    '@types/node': '24',
    typescript: COMPILERS.ts7,
    ts5: `npm:typescript@${COMPILERS.ts5}`,
    ts6: `npm:typescript@${COMPILERS.ts6}`,
  });
});

afterAll(async () => {
  await Promise.all(running.map((server) => end(server, 'SIGTERM')));
  fs.rmSync(FOLDER, { recursive: true, force: true });
});

test('the code blocks of docs/write-a-backend.md equal the files of the example', () => {
  for (const { file, text } of codeBlocks(PAGE)) {
    if (file === 'sluice.yml') continue;
    expect(text, file).toBe(fs.readFileSync(path.join(EXAMPLE, file), 'utf8'));
  }
});

test('the example backend has at most 100 lines', () => {
  const { text } = codeBlocks(PAGE).find(({ file }) => file === 'src/index.ts')!;
  expect(text.trim().split('\n').length).toBeLessThanOrEqual(100);
});

test.each(Object.keys(COMPILERS))(
  'the example backend compiles with %s in strict mode',
  (compiler) => {
    const name = compiler === 'ts7' ? 'typescript' : compiler;
    const tsc = path.join(HTTP, 'node_modules', name, 'bin', 'tsc');
    const out = path.join(FOLDER, `dist-${compiler}`);
    run(process.execPath, [tsc, '-p', '.', '--outDir', out, '--skipLibCheck', 'false'], HTTP);
    const emitted = fs.readdirSync(out).filter((name) => name.endsWith('.js'));
    expect(emitted).toEqual(['index.js']);
  },
);

test('npm create makes the example backend under a chosen name, and it compiles', () => {
  const create = path.join(ROOT, 'packages', 'create-backend', 'create-backend.mjs');
  run(process.execPath, [create, '@acme/sluice-ftp'], HTTP);
  const made = path.join(HTTP, 'sluice-ftp');
  const read = (file: string): string => fs.readFileSync(path.join(made, file), 'utf8');
  expect(JSON.parse(read('package.json'))).toMatchObject({ name: '@acme/sluice-ftp' });
  expect(read('src/index.ts')).toContain("scheme: 'ftp'");
  const tsc = path.join(HTTP, 'node_modules', 'typescript', 'bin', 'tsc');
  run(process.execPath, [tsc, '-p', '.', '--outDir', path.join(FOLDER, 'dist-made')], made);
  expect(() => run(process.execPath, [create, '@acme/sluice-ftp'], HTTP)).toThrow(); // it exists
  fs.rmSync(made, { recursive: true });
});

test('the example backend passes the kit', () => {
  const output = run('npm', ['test', '--silent'], HTTP);
  expect(output).toMatch(/fail 0/);
});

test('the kit without a test runner prints the result of each case', async () => {
  const port = await serve(HTTP, path.join(FOLDER, 'server-by-itself'), '0');
  const output = run(process.execPath, ['kit.mjs', `http://127.0.0.1:${port}`], HTTP);
  expect(output).toMatch(/passed {6}list\/in-order \(bare, wrapped\)/);
  expect(output).toMatch(/not tested {2}open\/ranges \(bare\)/);
  expect(output).toMatch(/passed: \d+ passed, 0 failed, \d+ not tested; seed \d+/);
});

test('a third-party backend, loaded from the folder of the configuration, replicates and restores', async () => {
  run('npm', ['run', 'build', '--silent'], HTTP);
  const acme = npmPack(HTTP, FOLDER);
  install(PROJECT, { ...ours('@sluice/core'), '@acme/sluice-http': `file:${acme}` });
  install(CLI, ours('sluice', ...CLI_NEEDS));
  const port = await serve(HTTP, path.join(FOLDER, 'server-place'), '0');
  const { text } = codeBlocks(PAGE).find(({ file }) => file === 'sluice.yml')!;
  fs.writeFileSync(path.join(PROJECT, 'sluice.yml'), text.replace('8080', port));
  const expected = replicateRows('sluice.yml', 'app.db');
  expect(restoreRows(`file://${PROJECT}/backup`)).toEqual(expected);
  expect(restoreRows(`@acme/sluice-http+http://127.0.0.1:${port}/app`)).toEqual(expected);
  // The backend and the CLI use separate copies of core.
  for (const folder of [PROJECT, CLI]) {
    expect(fs.existsSync(path.join(folder, 'node_modules', '@sluice', 'core'))).toBe(true);
  }
  // The page is built into its package.
  const page = path.join(CLI, 'node_modules', '@sluice', 'dashboard', 'dist', 'page');
  expect(fs.readFileSync(path.join(page, 'index.html'), 'utf8')).toMatch(/src="\.\/page\/index-/);
});

test('the configuration of a third-party backend is checked like ours', () => {
  const file = path.join(PROJECT, 'check.yml');
  const check = (...keys: readonly string[]): string => {
    const replica = ['url: "@acme/sluice-http+http://h:1/app"', ...keys].join(', ');
    const top = ['token-file: ./token', 'dbs:', '- path: app.db', `  replica: { ${replica} }`, ''];
    fs.writeFileSync(file, top.join('\n'));
    return sluice(PROJECT, 'config', 'check', '-config', 'check.yml');
  };
  fs.writeFileSync(path.join(PROJECT, 'token'), 'a-secret\n');
  expect(check()).toContain('http://h:1/app');
  expect(() => check('tokn: x', 'path: y')).toThrow(/path and url cannot be used together/);
  expect(() => check('tokn: x')).toThrow(/check\.yml:4: .*tokn is not a key of http: did you mean/);
  expect(() => check('token: x', 'token-file: ./none')).toThrow(
    /token-file and token cannot be used together/,
  );
  expect(() => check('endpoint: "https://me:a-secret@h"')).toThrow(/endpoint must be http/);
});

test.each(Object.keys(COMPILERS))(
  'the types of every package compile with %s in strict mode',
  (compiler) => {
    const name = compiler === 'ts7' ? 'typescript' : compiler;
    const tsc = path.join(HTTP, 'node_modules', name, 'bin', 'tsc');
    const entries = ['core', 'core/backend', 'core/backend/config', 'core/ltx'].map(
      (entry) => `@sluice/${entry}`,
    );
    const lines = [
      ...entries.map((entry, index) => `export type * as Entry${index} from '${entry}';`),
      `import type { Backend } from '@sluice/core/backend';`,
      ...BACKENDS.map((each, index) => `import { backend as backend${index} } from '${each}';`),
      `export const backends: Backend<unknown>[] = [${BACKENDS.map((_, index) => `backend${index}`).join()}];`,
    ];
    fs.writeFileSync(path.join(CLI, 'every.mts'), lines.join('\n'));
    const { compilerOptions } = JSON.parse(
      fs.readFileSync(path.join(HTTP, 'tsconfig.json'), 'utf8'),
    ) as { compilerOptions: object };
    const here = { typeRoots: [path.join(HTTP, 'node_modules', '@types')], rootDir: '.' };
    const options = { ...compilerOptions, ...here, noEmit: true, skipLibCheck: false };
    const tsconfig = { compilerOptions: options, include: ['every.mts'] };
    fs.writeFileSync(path.join(CLI, 'tsconfig.json'), JSON.stringify(tsconfig));
    expect(run(process.execPath, [tsc, '-p', '.'], CLI)).toBe('');
  },
);

test('the example key-value backend passes the kit', () => {
  expect(run('npm', ['test', '--silent'], KV)).toMatch(/fail 0/);
});

test('a database can be restored from the example key-value store after it was killed', async () => {
  run('npm', ['run', 'build', '--silent'], KV);
  const place = path.join(FOLDER, 'kv-place');
  install(place, { ...ours('@sluice/core'), '@acme/sluice-kv': `file:${npmPack(KV, FOLDER)}` });
  const log = path.join(FOLDER, 'store.log');
  const port = await serve(KV, log, '0');
  const lines = ['dbs:', '- path: app.db', '  replicas:', "  - type: '@acme/sluice-kv'"];
  const keys = ['    host: 127.0.0.1', `    port: ${port}`, '    path: app', ''];
  fs.writeFileSync(path.join(place, 'sluice.yml'), [...lines, ...keys].join('\n'));
  const expected = replicateRows('sluice.yml', 'app.db', place);
  await end(running.at(-1)!, 'SIGKILL');
  await serve(KV, log, port);
  expect(restoreRows(`@acme/sluice-kv+kv://127.0.0.1:${port}/app`, place)).toEqual(expected);
});

test('the types of two copies of core are compatible', () => {
  const copies = ['one', 'other'].map((name) => {
    const folder = path.join(HTTP, 'copies', name);
    fs.cpSync(path.join(HTTP, 'node_modules', '@sluice', 'core', 'dist'), folder, {
      recursive: true,
    });
    return `./${name}/backend.js`;
  });
  const [one, other] = copies.map((from, index) => `import type * as C${index} from '${from}';`);
  const types = ['Backend<unknown>', 'ReplicaClient', 'ObjectInfo', 'ObjectBody', 'Secret'];
  const lines = [...types, 'ReplicationError'].flatMap((type, index) => [
    `export const a${index} = (given: C0.${type}): C1.${type} => given;`,
    `export const b${index} = (given: C1.${type}): C0.${type} => given;`,
  ]);
  fs.writeFileSync(path.join(HTTP, 'copies', 'agree.ts'), [one, other, ...lines].join('\n'));
  const tsc = path.join(HTTP, 'node_modules', 'typescript', 'bin', 'tsc');
  const config = { extends: '../tsconfig.json', compilerOptions: { rootDir: '.', noEmit: true } };
  const include = ['agree.ts'];
  fs.writeFileSync(
    path.join(HTTP, 'copies', 'tsconfig.json'),
    JSON.stringify({ ...config, include }),
  );
  expect(run(process.execPath, [tsc, '-p', 'copies'], HTTP)).toBe('');
});

function ours(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `file:${tarballs[name]}`]));
}

/** Writes the code blocks of the page and copies the example's server. */
function writePage(): void {
  for (const { file, text } of codeBlocks(PAGE)) {
    if (file === 'sluice.yml') continue;
    fs.mkdirSync(path.dirname(path.join(HTTP, file)), { recursive: true });
    fs.writeFileSync(path.join(HTTP, file), text);
  }
  fs.copyFileSync(path.join(EXAMPLE, 'server.mjs'), path.join(HTTP, 'server.mjs'));
}

/** Starts a server of an example. Resolves to its port when it is ready. */
async function serve(cwd: string, place: string, port: string): Promise<string> {
  const args = ['server.mjs', place, port];
  const server = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(server);
  const [data] = (await once(server.stdout, 'data')) as [Buffer];
  return data.toString().trim();
}

async function end(server: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill(signal);
  await once(server, 'exit');
}

/** Creates a database, replicates it once and returns its rows. */
function replicateRows(config: string, name: string, place = PROJECT): unknown[] {
  const database = new Database(path.join(place, name));
  database.pragma('journal_mode = WAL');
  database.exec('create table t (id integer primary key, text)');
  const insert = database.prepare('insert into t (text) values (?)');
  for (let round = 0; round < 200; round += 1) insert.run(`row ${round} ${'x'.repeat(round)}`);
  sluice(place, 'replicate', '-once', '-config', config);
  const rows = database.prepare('select * from t').all();
  database.close();
  return rows;
}

function restoreRows(url: string, place = PROJECT): unknown[] {
  const output = path.join(fs.mkdtempSync(path.join(FOLDER, 'restored-')), 'app.db');
  sluice(place, 'restore', '-o', output, url);
  const restored = new Database(output, { readonly: true });
  expect(restored.pragma('integrity_check', { simple: true })).toBe('ok');
  const rows = restored.prepare('select * from t').all();
  restored.close();
  return rows;
}

function sluice(place: string, ...args: readonly string[]): string {
  const main = path.join(CLI, 'node_modules', 'sluice', 'dist', 'main.js');
  return run(process.execPath, [main, ...args], place);
}
