/** Counts this process's file system calls below a folder as steps. */

import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { onTestFinished, vi } from 'vitest';
import { Steps } from './steps.ts';

type Method = (...given: unknown[]) => Promise<unknown>;

const OF_PATHS = ['open', 'stat', 'lstat', 'readdir', 'mkdir', 'rename', 'link', 'unlink'] as const;
const OF_HANDLES = ['write', 'utimes', 'sync'] as const;

/** Watches `folder` until the test ends. */
export async function watchFolder(folder: string): Promise<Steps> {
  onTestFinished(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });
  const steps = new Steps();
  const run = async (work: () => Promise<unknown>): Promise<unknown> => {
    const step = steps.next();
    if (step?.moment === 'before') step.act();
    const result = await work();
    if (step?.moment === 'after') step.act();
    return result;
  };
  const ours = new WeakSet<object>();
  for (const name of OF_PATHS) {
    const original = fs[name] as unknown as Method;
    const watched: Method = async (...given) => {
      const isOurs = String(given[0]).startsWith(folder);
      if (!isOurs) return await original(...given);
      const result = await run(() => original(...given));
      if (name === 'open') ours.add(result as fs.FileHandle);
      return result;
    };
    vi.spyOn(fs, name as 'unlink').mockImplementation(watched as typeof fs.unlink);
  }
  const probe = await fs.open(folder, 'r');
  const handles = Object.getPrototypeOf(probe) as fs.FileHandle;
  await probe.close();
  for (const name of OF_HANDLES) {
    const original = Reflect.get(handles, name) as Method;
    vi.spyOn(handles, name as 'sync').mockImplementation(async function (
      this: fs.FileHandle,
      ...given
    ) {
      const work = (): Promise<unknown> => original.apply(this, given);
      return (await (ours.has(this) ? run(work) : work())) as undefined;
    });
  }
  syncBuiltinESMExports();
  return steps;
}
