/**
 * A demo of the main use: an application writes to a database, which is replicated to a folder and to an
 * S3 server, lost, and restored from each of them alone. The exit code is 0 only if all comparisons
 * passed.
 */

import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { start as startS3 } from '../servers/s3/index.ts';
import { compareRows, readRows } from './compare.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLI = path.resolve(HERE, '../../apps/cli/dist/main.js');
/** Short enough to keep the demo well under a minute. */
const WATCH_MS = 6_000;
const AFTER_MISTAKE_MS = 3_000;
const CATCH_UP_MS_MAX = 15_000;

interface Destination {
  readonly name: string;
  readonly txid?: string;
  readonly lagSeconds: number;
  readonly pendingFiles: number;
}

interface Status {
  readonly txid?: string;
  readonly destinations: readonly Destination[];
}

const print = (text: string): void => console.log(text);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-demo-'));
const database = path.join(folder, 'shop.db');
const children: ChildProcess[] = [];
const s3 = await startS3({ buckets: ['backups'] });
let passed = false;
try {
  passed = await demo();
} finally {
  for (const child of children) child.kill('SIGKILL');
  await s3.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
print(passed ? 'All comparisons passed.' : 'A comparison FAILED.');
process.exitCode = passed ? 0 : 1;

async function demo(): Promise<boolean> {
  print(`1. An application writes to ${database}, one order per transaction.`);
  const writer = fork(path.join(HERE, 'writer.mjs'), [database]);
  children.push(writer);
  const config = writeConfig();

  print(
    '2. sluice replicate uploads it to a folder and, over HTTP, to an S3 server. While more than ten',
  );
  print('   commits a second arrive, they are sent together, once a second (sync-interval):');
  const sluice = spawn(process.execPath, [CLI, 'replicate', '-config', config], {
    stdio: ['ignore', fs.openSync(path.join(folder, 'sluice.log'), 'a'), 'inherit'],
    env: environment(),
  });
  children.push(sluice);
  await watch(WATCH_MS);

  print('3. A mistake: DELETE FROM orders WHERE id % 3 <> 0. The time before it is recorded.');
  await command(writer, 'pause');
  await caughtUp();
  const before = readRows(database);
  const moment = new Date().toISOString();
  await sleep(50); // the mistake must be later than the recorded time
  await command(writer, 'mistake');
  await command(writer, 'resume');
  await watch(AFTER_MISTAKE_MS);

  print('4. SIGKILL to both, during a write. The disk is lost: the database is deleted.');
  const reported = readStatus();
  await Promise.all([kill(sluice), kill(writer)]);
  const lost = readRows(database);
  for (const name of fs.readdirSync(folder)) {
    if (name.startsWith('shop.db') || name.startsWith('.shop.db')) {
      fs.rmSync(path.join(folder, name), { recursive: true });
    }
  }

  print('5. Restored from each destination alone, and compared row by row:');
  const results: boolean[] = [];
  for (const destination of reported.destinations) {
    const latest = await restore(config, destination.name, []);
    results.push(
      compareRows(`   ${destination.name}, latest`, latest, lost, 'up-to-the-kill', print),
    );
    const earlier = await restore(config, destination.name, ['-timestamp', moment]);
    results.push(compareRows(`   ${destination.name}, ${moment}`, earlier, before, 'equal', print));
  }
  return results.length === 2 * 2 && results.every(Boolean);
}

function writeConfig(): string {
  const file = path.join(folder, 'sluice.yml');
  fs.writeFileSync(
    file,
    `dbs:
- path: ${database}
  replicas:
  - type: file
    name: folder
    path: ${path.join(folder, 'backup')}
  - type: s3
    bucket: backups
    path: shop.db
    endpoint: ${s3.endpoint}
    region: us-east-1
    force-path-style: true
`,
  );
  return file;
}

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
  };
}

function readStatus(): Status {
  try {
    const file = path.join(folder, '.shop.db-sluice', 'status.json');
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Status;
  } catch {
    return { destinations: [] }; // not written yet
  }
}

/** Prints TXID and lag of each destination as they move. */
async function watch(forMs: number): Promise<void> {
  const end = Date.now() + forMs;
  let last = '';
  while (Date.now() < end) {
    const { txid, destinations } = readStatus();
    const line = destinations
      .map((at) => `${at.name} ${at.txid ?? '-'} lag ${at.lagSeconds.toFixed(2)} s`)
      .join('   ');
    if (line !== last && line !== '') print(`   TXID ${txid ?? '-'}   ${line}`);
    last = line;
    await sleep(250);
  }
}

async function caughtUp(): Promise<void> {
  const deadline = Date.now() + CATCH_UP_MS_MAX;
  await sleep(1_500); // the last commit is cut within a sync interval of one second
  while (Date.now() < deadline) {
    const { txid, destinations } = readStatus();
    if (destinations.length > 0 && destinations.every((at) => at.txid === txid)) return;
    await sleep(100);
  }
  throw new Error('the destinations did not catch up in time');
}

async function restore(config: string, name: string, flags: string[]) {
  const output = path.join(folder, `restored-${name}-${flags.length}.db`);
  const args = ['restore', '-config', config, '-replica', name, '-o', output, ...flags, database];
  const child = spawn(process.execPath, [CLI, ...args], { stdio: 'inherit', env: environment() });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`sluice ${args.join(' ')} exited with ${code}`);
  return readRows(output);
}

async function command(child: ChildProcess, message: string): Promise<void> {
  const answered = once(child, 'message');
  child.send(message);
  await answered;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
