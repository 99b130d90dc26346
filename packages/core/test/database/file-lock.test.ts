/** Locks of many files, held by few connections. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type FileLock, lockFile } from '../../src/database/staging/file-lock.ts';
import { temporaryFolder } from '../restore/temporary.ts';

/** More than three connections. */
const FILES = 35;

function newFiles(): string[] {
  const folder = temporaryFolder();
  return Array.from({ length: FILES }, (_, index) => path.join(folder, `${index}'s lock`));
}

function lock(file: string): FileLock {
  const held = lockFile(file);
  onTestFinished(() => held.release());
  return held;
}

const BUSY = expect.objectContaining({ code: 'SQLITE_BUSY' }) as Error;

/** Which of the files another process can lock. It tries one after the other, and releases each at once. */
class OtherProcess {
  readonly #child: ChildProcess;

  constructor(folder: string) {
    const module = path.resolve(import.meta.dirname, '../../src/database/staging/file-lock.ts');
    const script = path.join(folder, 'other.mjs');
    fs.writeFileSync(
      script,
      `import { lockFile } from ${JSON.stringify(module)};
       const held = [];
       process.on('message', ({ files, mode }) => {
         const free = [];
         for (const file of files) {
           try {
             const lock = lockFile(file);
             free.push(file);
             if (mode === 'keep') held.push(lock); else lock.release();
           } catch (error) {
             if (error.code !== 'SQLITE_BUSY') throw error;
           }
         }
         process.send(free);
       });`,
    );
    this.#child = fork(script);
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  async lock(files: readonly string[], mode: 'try' | 'keep' = 'try'): Promise<readonly string[]> {
    this.#child.send({ files, mode });
    const [free] = (await once(this.#child, 'message')) as [readonly string[]];
    return free;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

test('each of many locks keeps other processes away, and is released alone', async () => {
  const files = newFiles();
  const other = new OtherProcess(path.dirname(files[0] ?? ''));
  expect(await other.lock(files)).toEqual(files);
  const locks = files.map((file) => lock(file));
  expect(await other.lock(files)).toEqual([]);
  const released: string[] = [];
  for (const index of [3, 0, 12, 34, 9, 10, 11]) {
    locks[index]?.release();
    released.push(files[index] ?? '');
    expect([...(await other.lock(files))].sort()).toEqual(released.toSorted());
  }
  for (const file of released) lock(file); // in their places, beside the others
  expect(await other.lock(files)).toEqual([]);
});

test('a refused lock does not release the others of its connection', async () => {
  const files = newFiles();
  const other = new OtherProcess(path.dirname(files[0] ?? ''));
  const theirs = files.filter((_, index) => index % 3 === 0);
  const ours = files.filter((file) => !theirs.includes(file));
  expect(await other.lock(theirs, 'keep')).toEqual(theirs);
  for (const file of files) {
    if (theirs.includes(file)) expect(() => lock(file)).toThrow(BUSY);
    else lock(file);
  }
  for (const file of ours) expect(() => lock(file)).toThrow(BUSY); // also by this process
  expect(await other.lock(ours)).toEqual([]);
  const another = new OtherProcess(path.dirname(files[0] ?? ''));
  expect(await another.lock(files)).toEqual([]);
  await other.kill();
  expect(await another.lock(files)).toEqual(theirs);
});

test('a refused lock leaves nothing open: its file is free when the other process releases it', async () => {
  const [file = '', beside = ''] = newFiles();
  lock(beside);
  const other = new OtherProcess(path.dirname(file));
  const another = new OtherProcess(path.dirname(file));
  await other.lock([file], 'keep');
  expect(() => lock(file)).toThrow(BUSY);
  await other.kill();
  expect(await another.lock([file])).toEqual([file]);
});

test('a file that is no database is reported, and does not disturb the others', async () => {
  const [file = '', beside = '', third = ''] = newFiles();
  lock(beside);
  fs.writeFileSync(file, 'x'.repeat(5_000));
  expect(() => lock(file)).toThrow(expect.objectContaining({ code: 'SQLITE_NOTADB' }) as Error);
  lock(third);
  const other = new OtherProcess(path.dirname(file));
  expect(await other.lock([beside, third])).toEqual([]);
});

test('a folder that is gone does not keep the files beside it from being locked or released', async () => {
  const [beside = '', third = ''] = newFiles();
  const folder = path.join(path.dirname(beside), 'gone');
  fs.mkdirSync(folder);
  const gone = lock(path.join(folder, 'lock'));
  fs.rmSync(folder, { recursive: true });
  const held = lock(beside);
  lock(third);
  held.release();
  gone.release();
  gone.release(); // harmless
  const other = new OtherProcess(path.dirname(beside));
  expect(await other.lock([beside, third])).toEqual([beside]);
});

test('nothing is written to a locked file, and there is no other file beside it', () => {
  const [file = ''] = newFiles();
  lock(file);
  expect(fs.statSync(file).size).toBe(0);
  expect(fs.readdirSync(path.dirname(file))).toEqual([path.basename(file)]);
});

test('a lock takes one descriptor, and no connection of its own', () => {
  if (process.platform !== 'linux') return;
  const files = newFiles();
  const open = (): number => fs.readdirSync('/proc/self/fd').length;
  const before = open();
  const locks = files.map((file) => lock(file));
  expect(open() - before).toBe(FILES);
  for (const each of locks) each.release();
  expect(open()).toBe(before);
});
