/** The file system that is passed in: the real one and the one in memory behave the same. */

import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Staging } from '../src/database/staging/staging.ts';
import { toTXID } from '../src/ltx/txid.ts';
import {
  makeFolders,
  readText,
  replaceText,
  systemFiles,
  writeDurably,
  type FileSystem,
} from '../src/file-system.ts';
import { temporaryFolder } from './restore/temporary.ts';
import { MemoryFiles } from './support/memory-file-system.ts';
import { randomFrom, seedOf } from './support/random.ts';

async function write(files: FileSystem, file: string, text: string): Promise<void> {
  const handle = await files.create(file, 'private');
  await handle.append(Buffer.from(text));
  await handle.close();
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe.each([
  {
    which: 'real',
    make: () => ({ files: systemFiles, folder: temporaryFolder() }),
  },
  { which: 'in memory', make: () => ({ files: new MemoryFiles(), folder: '/' }) },
])('the file system $which', ({ make }) => {
  test('reads by position what was appended, up to the end', async () => {
    const { files, folder } = make();
    const file = path.join(folder, 'a');
    const writing = await files.create(file, 'private');
    await writing.append(Buffer.from('hello '));
    await writing.append(Buffer.from('world'));
    await writing.sync();
    await writing.close();
    const reading = await files.open(file);
    const into = new Uint8Array(8);
    expect(await reading.sizeBytes()).toBe(11);
    expect(await reading.readFully(into.subarray(0, 5), 0)).toBe(5);
    expect(await reading.readFully(into, 6)).toBe(5);
    expect(Buffer.from(into.subarray(0, 5)).toString()).toBe('world');
    expect(await reading.readFully(into, 11)).toBe(0);
    await reading.close();
    await write(files, file, 'less');
    expect(await readText(files, file)).toBe('less');
  });

  test('lists names in order, and says what each is', async () => {
    const { files, folder } = make();
    await write(files, path.join(folder, 'b'), 'xyz');
    await files.makeFolder(path.join(folder, 'a'));
    expect(await files.list(folder)).toEqual(['a', 'b']);
    expect(await files.stat(path.join(folder, 'b'))).toEqual({ kind: 'file', sizeBytes: 3 });
    expect(await files.stat(path.join(folder, 'a'))).toMatchObject({ kind: 'folder' });
    expect(await files.stat(path.join(folder, 'c'))).toBeUndefined();
  });

  test('renames over a file that is there, and removes files and folders', async () => {
    const { files, folder } = make();
    const [a, b, inner] = ['a', 'b', 'inner'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ];
    await write(files, a, 'new');
    await write(files, b, 'old');
    await files.rename(a, b);
    expect(await files.list(folder)).toEqual(['b']);
    expect(await readText(files, b)).toBe('new');
    await files.makeFolder(inner);
    await write(files, path.join(inner, 'x'), 'x');
    await files.remove(inner);
    await files.remove(b);
    await files.remove(b);
    expect(await files.list(folder)).toEqual([]);
  });

  test('keeps a scratch file until it is discarded', async () => {
    const { files, folder } = make();
    const file = path.join(folder, 'scratch');
    const scratch = files.scratch(file);
    scratch.write(Buffer.from('world'), 6);
    scratch.write(Buffer.from('hello '), 0);
    const into = new Uint8Array(20);
    expect(scratch.read(into, 0)).toBe(11);
    expect(Buffer.from(into.subarray(0, 11)).toString()).toBe('hello world');
    scratch.discard();
    expect(await files.stat(file)).toBeUndefined();
  });

  test('refuses with the codes of the operating system', async () => {
    const { files, folder } = make();
    const at = (name: string): string => path.join(folder, name);
    await write(files, at('file'), 'x');
    await files.makeFolder(at('folder'));
    expect(await codeOf(files.open(at('none')))).toBe('ENOENT');
    expect(await codeOf(files.create(at('none/x'), 'private'))).toBe('ENOENT');
    expect(await codeOf(files.create(at('folder'), 'private'))).toBe('EISDIR');
    expect(await codeOf(files.makeFolder(at('folder')))).toBe('EEXIST');
    expect(await codeOf(files.makeFolder(at('none/x')))).toBe('ENOENT');
    expect(await codeOf(files.makeFolder(at('file/x')))).toBe('ENOTDIR');
    expect(await codeOf(files.list(at('none')))).toBe('ENOENT');
    expect(await codeOf(files.list(at('file')))).toBe('ENOTDIR');
    expect(await codeOf(files.rename(at('none'), at('x')))).toBe('ENOENT');
    expect(await codeOf(files.syncFolder(at('none')))).toBe('ENOENT');
    expect(await codeOf(readText(files, at('folder')))).toBe('EISDIR');
  });

  test('makes folders with their parents, and small texts', async () => {
    const { files, folder } = make();
    const deep = path.join(folder, 'a', 'b', 'c');
    await makeFolders(files, deep);
    await makeFolders(files, deep);
    const file = path.join(deep, 'text');
    expect(await readText(files, file)).toBeUndefined();
    await writeDurably(files, file, 'one');
    await replaceText(files, file, 'two');
    expect(await readText(files, file)).toBe('two');
    expect(await files.list(deep)).toEqual(['text']);
  });

  test('has room on its volume', async () => {
    const { files, folder } = make();
    const { availableBytes, sizeBytes } = await files.volume(folder);
    expect(availableBytes).toBeGreaterThan(0);
    expect(sizeBytes).toBeGreaterThanOrEqual(availableBytes);
  });
});

describe('a crash of the file system in memory', () => {
  test('keeps synced bytes under synced names, and nothing else', async () => {
    const files = new MemoryFiles();
    const durable = await files.create('/durable');
    await durable.append(Buffer.from('kept'));
    await durable.sync();
    await files.syncFolder('/');
    await durable.append(Buffer.from(' lost'));
    await (await files.create('/nameless')).sync();
    files.crash();
    expect(await files.list('/')).toEqual(['durable']);
    expect(await readText(files, '/durable')).toBe('kept');
    expect(await codeOf(durable.append(Buffer.from('x')))).toBe('EIO');
  });

  test('loses bytes that were not synced before their name was', async () => {
    const files = new MemoryFiles();
    await write(files, '/a', 'text');
    await files.syncFolder('/');
    files.crash();
    expect(await readText(files, '/a')).toBe('');
  });

  test('undoes a rename and a removal that were not made durable', async () => {
    const files = new MemoryFiles();
    await writeDurably(files, '/a', 'a');
    await writeDurably(files, '/b', 'b');
    await files.rename('/a', '/c');
    await files.remove('/b');
    files.crash();
    expect(await files.list('/')).toEqual(['a', 'b']);
    await files.rename('/a', '/c');
    await files.syncFolder('/');
    files.crash();
    expect(await files.list('/')).toEqual(['b', 'c']);
  });

  test('may keep any part of the rest, and never half a rename', async () => {
    const random = randomFrom(seedOf());
    const seen = new Set<string>();
    for (let run = 0; run < 200; run++) {
      const files = new MemoryFiles();
      await writeDurably(files, '/a', 'a');
      await files.rename('/a', '/b');
      await write(files, '/c', 'cc');
      files.crash(random);
      const names = await files.list('/');
      expect(names.filter((name) => name !== 'c')).toHaveLength(1);
      seen.add(`${names.join()} ${(await readText(files, '/c'))?.length}`);
    }
    expect(seen.size).toBeGreaterThan(5);
  });

  test('takes no more than its volume has', async () => {
    const files = new MemoryFiles({ volumeBytes: 10 });
    await write(files, '/a', '0123456789');
    const more = await files.create('/b');
    expect(await codeOf(more.append(Buffer.from('x')))).toBe('ENOSPC');
    expect((await files.volume('/')).availableBytes).toBe(0);
  });
});

/** Runs `work` once for each of its calls, and loses power before that one. */
async function crashAtEach(
  prepare: (files: FileSystem) => Promise<void>,
  work: (files: FileSystem) => Promise<void>,
  check: (files: FileSystem) => Promise<void>,
): Promise<number> {
  const random = randomFrom(seedOf());
  for (let at = 1; ; at++) {
    let calls = -Infinity;
    const files: MemoryFiles = new MemoryFiles({
      before() {
        if (++calls === at) files.crash(random);
        if (calls >= at) throw Object.assign(new Error('power is lost'), { code: 'EIO' });
      },
    });
    await prepare(files);
    calls = 0;
    const code = await codeOf(work(files));
    calls = -Infinity;
    await check(files);
    if (code === undefined) return at - 1;
  }
}

describe('a crash at any call', () => {
  test('of a durable replacement leaves the old text or the new one', async () => {
    const found = new Set<string | undefined>();
    const calls = await crashAtEach(
      (files) => writeDurably(files, '/position', 'old'),
      (files) => writeDurably(files, '/position', 'a new text'),
      async (files) => void found.add(await readText(files, '/position')),
    );
    expect(calls).toBe(5);
    for (const text of found) expect(['old', 'a new text']).toContain(text);
  });

  test('of staging leaves no name of a file whose bytes are not there', async () => {
    const txid = toTXID(1);
    const bytes = new Uint8Array(100).fill(7);
    const stage = async (files: FileSystem): Promise<void> => {
      const staging = new Staging('/meta', files);
      await staging.makeFolders();
      const temporary = staging.temporary('cut');
      const sizeBytes = await staging.write(
        temporary,
        [bytes.slice(0, 60), bytes.slice(60)],
        'cut',
      );
      await staging.publish(temporary, 0, txid, txid, sizeBytes);
    };
    const calls = await crashAtEach(
      async () => {},
      async (files) => {
        try {
          await stage(files);
        } catch (error) {
          throw (error as Error).cause ?? error; // the code of the operating system
        }
      },
      async (files) => {
        const staging = new Staging('/meta', files);
        await staging.makeFolders();
        for (const { sizeBytes } of (await staging.open()).files) {
          expect(sizeBytes).toBe(bytes.length);
        }
      },
    );
    expect(calls).toBeGreaterThan(10);
  });
});
