/** Processes that have a database open are found by SQLite's locks. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { checkpointOldDatabase } from '../../src/restore/old-database.ts';
import {
  findHolders,
  holdersIn,
  lockedFileOf,
  programOf,
} from '../../src/restore/open-elsewhere.ts';
import { checkOutput } from '../../src/restore/output-target.ts';
import { temporaryFolder } from './temporary.ts';

const DRIVER = createRequire(import.meta.url).resolve('better-sqlite3');
const isLinux = process.platform === 'linux';

interface Application {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Another process that opens `file` in WAL mode, and runs `sql` in it. */
async function openIn(file: string, sql: string): Promise<Application> {
  const script =
    `const database = new (require(${JSON.stringify(DRIVER)}))(${JSON.stringify(file)});` +
    `database.pragma('journal_mode = wal'); database.exec(${JSON.stringify(sql)});` +
    "process.stdout.write('open'); process.stdin.resume();";
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const newFile = (): string => path.join(temporaryFolder(), 'app.db');
const CREATE = 'CREATE TABLE t(a); INSERT INTO t VALUES (1)';

test.runIf(isLinux)('an idle connection of another process is found until it ends', async () => {
  const file = newFile();
  const application = await openIn(file, CREATE);
  expect(await findHolders(file)).toEqual([
    { pid: application.pid, name: path.basename(process.execPath) },
  ]);
  await application.stop();
  expect(await findHolders(file)).toEqual([]);
});

test('connections of this process, and of other databases, are not', async () => {
  const [file, other] = [newFile(), newFile()];
  await openIn(other, CREATE);
  const own = new Database(file);
  onTestFinished(() => void own.close());
  own.pragma('journal_mode = wal');
  own.exec(CREATE);
  expect(await findHolders(file)).toEqual([]);
  expect(await findHolders(newFile())).toEqual([]);
});

test.runIf(isLinux)('the refusal to replace a database names who has it open', async () => {
  const file = newFile();
  const { pid } = await openIn(file, CREATE);
  await expect(checkOutput(file, 'refuse')).rejects.toThrow(
    expect.objectContaining({
      code: 'RESTORE_TARGET_EXISTS',
      message: expect.stringMatching(
        `it already exists, and process ${pid} \\(.+\\) has it open; choose another path`,
      ) as string,
    }),
  );
  await checkOutput(file, 'keep'); // -force
});

test.runIf(isLinux)('several processes "have" it open', async () => {
  const file = newFile();
  await openIn(file, CREATE);
  await openIn(file, 'SELECT count(*) FROM t');
  await expect(checkOutput(file, 'refuse')).rejects.toThrow(
    /and process \d+ \(.+\) and process \d+ \(.+\) have it open;/,
  );
});

test.runIf(isLinux)(
  'an empty file may be replaced, unless another process has it open',
  async () => {
    const file = newFile();
    fs.writeFileSync(file, '');
    await checkOutput(file, 'refuse');
    const { pid } = await openIn(file, CREATE);
    for (const side of ['', '-wal']) fs.truncateSync(file + side);
    await expect(checkOutput(file, 'refuse')).rejects.toThrow(`and process ${pid} (`);
  },
);

test.runIf(isLinux)('a database in use is refused with the process that uses it', async () => {
  const file = newFile();
  const { pid } = await openIn(file, `${CREATE}; BEGIN IMMEDIATE; INSERT INTO t VALUES (2)`);
  const { signal } = new AbortController();
  const waiting = { signal, clock: systemClock, timeoutMs: 0 };
  await expect(checkpointOldDatabase(file, waiting)).rejects.toThrow(
    new RegExp(`process ${pid} \\(.+\\) is using this database`),
  );
});

test('a line of /proc/locks is read, with waiters and other kinds of locks left out', () => {
  const locks = [
    '1: POSIX  ADVISORY  READ 15014 fe:00:10994059 128 128',
    '1: -> POSIX  ADVISORY  WRITE 99 fe:00:10994059 128 128',
    '2: POSIX  ADVISORY  READ 15014 fe:00:10994042 1073741826 1073742335',
    '3: FLOCK  ADVISORY  WRITE 77 fe:00:10994042 0 EOF',
    '4: POSIX  ADVISORY  WRITE 8477 00:1b:10994042 128 128',
    '5: POSIX  ADVISORY  WRITE 0 fe:00:10994042 128 128',
    '',
  ].join('\n');
  const files = new Set(['fe:00:10994059', 'fe:00:10994042']);
  expect(holdersIn(locks, files)).toEqual([15014, 0]);
  expect(holdersIn(locks, new Set(['fe:00:1099404']))).toEqual([]);
});

test.each([
  [0xfe00, 5, 'fe:00:5'],
  [0x1b, 7, '00:1b:7'],
  [0x1_0343, 9, '103:43:9'],
  [0x810_0310, 9, '03:8110:9'],
])('device %i is named as the kernel does', (dev, ino, name) => {
  expect(lockedFileOf({ dev, ino })).toBe(name);
});

test.each([
  ['/usr/bin/node\0/srv/app/server.js\0--password\0secret\0', 'node server.js'],
  ['/usr/bin/python3\0manage.py\0', 'python3 manage.py'],
  ['node\0-e\0a.js\0', 'node'],
  ['/usr/local/bin/app\0secret\0', 'app'],
  ['/bin/\u001b[31mred\0', '?[31mred'],
  ['', undefined],
])('the program of %j is %s', (line, program) => {
  expect(programOf(line)).toBe(program);
});
