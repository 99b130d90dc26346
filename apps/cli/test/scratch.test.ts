/** The scratch folder of a drill is private, and is removed on every way out. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../src/drilling/scratch.ts';
import { temporaryFolder } from './support/temporary.ts';

test('each use has a new folder, which only this user can read, and which is removed', async () => {
  const parent = temporaryFolder();
  {
    await using scratch = await Scratch.create(parent);
    const seen: string[] = [];
    for (const _ of [1, 2]) {
      await scratch.use(async (folder) => {
        seen.push(folder);
        expect(fs.readdirSync(folder)).toEqual([]);
        fs.writeFileSync(path.join(folder, 'restored.db'), 'pages');
        expect(fs.statSync(path.dirname(folder)).mode & 0o777).toBe(0o700);
        return Promise.resolve();
      });
      expect(seen.filter((folder) => fs.existsSync(folder))).toEqual([]);
    }
    expect(new Set(seen).size).toBe(2);
  }
  expect(fs.readdirSync(parent)).toEqual([]);
});

test('it is removed if the work fails', async () => {
  const parent = temporaryFolder();
  const fail = async (): Promise<void> => {
    await using scratch = await Scratch.create(parent);
    await scratch.use(async (folder) => {
      fs.writeFileSync(path.join(folder, 'restored.db'), 'pages');
      return Promise.reject(new Error('it failed'));
    });
  };
  await expect(fail()).rejects.toThrow('it failed');
  expect(fs.readdirSync(parent)).toEqual([]);
});

test('it is removed when the process exits, and before a second signal ends it', async () => {
  const parent = temporaryFolder();
  const before = new Set(process.listeners('exit'));
  const scratch = await Scratch.create(parent);
  const [added, ...others] = process.listeners('exit').filter((each) => !before.has(each));
  expect(others).toEqual([]);
  await scratch.use(async () => {
    expect(fs.readdirSync(parent)).toHaveLength(1);
    added?.(0);
    expect(fs.readdirSync(parent)).toEqual([]);
    return Promise.resolve();
  });
  scratch.removeNow(); // a second time does no harm
  await scratch[Symbol.asyncDispose]();
  expect(process.listeners('exit').filter((each) => !before.has(each))).toEqual([]);
});
