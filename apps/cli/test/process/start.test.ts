/** Start and end of the process, for any command. */

import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { goldenBucket } from '../support/golden.ts';
import { CLI, CLIProcess, runProcess } from '../support/process.ts';
import { startSilentServer } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const HELP_MS_MAX = 150;
/** The tool's own files for --help, and those that check whether the build is up to date. */
const HELP_FILES_MAX = 24;
const TRIES = 5;
const CHECKOUT = fileURLToPath(new URL('../../../../bin/sluice', import.meta.url));

/** Starts `program` with a module that all its Node processes load first. */
async function runWatched(
  program: string,
  words: readonly string[],
  preload: string,
): Promise<string> {
  const file = writeFile(temporaryFolder(), 'preload.mjs', preload);
  const run = promisify(execFile);
  const env = { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(file).href}` };
  const { stderr } = await run(program, words, { env });
  return stderr;
}

test(`bin/sluice --help takes less than ${HELP_MS_MAX} ms`, async () => {
  // Processor time, so that other load on this machine does not count. On an idle machine the
  // wall-clock time is shorter.
  const preload = `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  process.stderr.write(String((user + system) / 1000) + '\\n');
});\n`;
  await promisify(execFile)(CHECKOUT, ['--help']); // rebuilds the checkout if necessary
  const times: number[] = [];
  for (let run = 0; run < TRIES; run += 1) {
    const processes = await runWatched(CHECKOUT, ['--help'], preload);
    // Any other line would be a step of the set-up, such as a build: only the first call may need one.
    expect(processes).toMatch(/^[\d.]+\n$/);
    times.push(Number(processes));
  }
  expect(Math.min(...times)).toBeGreaterThan(0);
  expect(Math.min(...times)).toBeLessThan(HELP_MS_MAX);
});

/** Prints a line for each Node process and for each module it loads. */
const LOAD_HOOK = `import { registerHooks } from 'node:module';
import fs from 'node:fs';
fs.writeSync(2, 'process ' + process.pid + '\\n');
registerHooks({
  load(url, context, next) {
    fs.writeSync(2, 'loads ' + url + '\\n');
    return next(url, context);
  },
});
`;

test('bin/sluice --help is one process that loads few modules', async () => {
  const printed = await runWatched(CHECKOUT, ['--help'], LOAD_HOOK);
  expect(printed.match(/^process /gm)).toHaveLength(1);
  const files = [...printed.matchAll(/^loads (file:.*)$/gm)].map(([, url]) => url);
  expect(files.length).toBeGreaterThan(0);
  expect(files.length, files.join('\n')).toBeLessThanOrEqual(HELP_FILES_MAX);
});

/** Packages that the built tool loads. */
async function packagesOf(...words: string[]): Promise<Set<string>> {
  const printed = await runWatched(process.execPath, [CLI, ...words], LOAD_HOOK);
  const names = [...printed.matchAll(/^loads (.*)$/gm)].map(
    ([, url = '']) =>
      /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ??
      /\/packages\/(\w+)\//.exec(url)?.[1],
  );
  return new Set(names.filter((name) => name !== undefined));
}

test('commands load only the packages they need', async () => {
  const sdks = [
    '@aws-sdk/client-s3',
    '@google-cloud/storage',
    'google-auth-library',
    '@azure/storage-blob',
    'ssh2-sftp-client',
    'ssh2',
  ];
  const far = ['s3', 'gcs', 'azure', 'sftp', ...sdks];
  const heavy = [
    '@modelcontextprotocol/sdk',
    'better-sqlite3',
    'prom-client',
    'yaml',
    'zod',
    'file',
    ...far,
  ];
  const help = await packagesOf('--help');
  for (const name of heavy) expect(help).not.toContain(name);
  const version = await packagesOf('version');
  for (const name of heavy) expect(version).not.toContain(name);

  const config = writeFile(
    temporaryFolder(),
    's.yml',
    'dbs: [{ path: /d, replica: { path: /b } }]',
  );
  const databases = await packagesOf('databases', '-config', config);
  expect(databases).toContain('yaml');
  expect(databases).toContain('file');
  for (const name of ['prom-client', ...far]) expect(databases).not.toContain(name);
  const folder = temporaryFolder();
  addRows(path.join(folder, 'app.db'), 1);
  const to = `file://${path.join(folder, 'backup')}`;
  const replicating = await packagesOf('replicate', '-once', path.join(folder, 'app.db'), to);
  expect(replicating).toContain('better-sqlite3');
  expect(replicating).not.toContain('@modelcontextprotocol/sdk');
});

test('an interrupted restore leaves nothing behind and exits with 128 plus the signal’s number', async () => {
  const { endpoint, connected } = await startSilentServer();
  const folder = temporaryFolder();
  const output = path.join(folder, 'app.db');
  const url = `s3://b/p?endpoint=${endpoint}&region=x&access-key-id=a&secret-access-key=bbbbbbbb`;
  const restoring = new CLIProcess(['restore', '-o', output, url]);
  await connected;
  restoring.kill('SIGINT');
  const { code, stderr } = await restoring.ended();
  expect(code).toBe(130);
  expect(stderr).toBe('sluice: stopped by SIGINT\n');
});

test('a secret in a URL is never printed', async () => {
  const { endpoint } = await startSilentServer();
  const url = `s3://b/p?endpoint=${endpoint.replace(/\d+$/, '1')}&region=x&access-key-id=a&secret-access-key=a-very-secret-key`;
  const output = path.join(temporaryFolder(), 'app.db');
  const { code, stdout, stderr } = await runProcess([
    'restore',
    '-log-level=debug',
    '-o',
    output,
    url,
  ]);
  expect(code).toBe(7);
  expect(stderr).toContain('REPLICA_UNAVAILABLE');
  expect(stdout + stderr).not.toContain('a-very-secret-key');
});

test('a closed pipe is not a failure', () => {
  const list = `"${process.execPath}" "${CLI}" ltx -level all "file://${goldenBucket()}"`;
  const line = `{ ${list}; echo "ended $?" >&2; } | head -n 1`;
  const { stdout, stderr } = spawnSync('sh', ['-c', line]);
  expect(stdout.toString()).toMatch(/^replica/);
  expect(stderr.toString()).toBe('ended 0\n');
});
