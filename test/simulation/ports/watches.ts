/** File watchers of simulated processes. An event comes some milliseconds after the change. */

import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { SimulatedProcess } from './process.ts';
import { currentProcess } from './virtual-time.ts';

const DELAY_MS_MAX = 8;

interface Watch {
  readonly process: SimulatedProcess;
  readonly inode: number;
  readonly listener: () => void;
}

const watches = new Set<Watch>();

/** Replaces `fs.watch` for simulated processes. Call once. */
export function installWatches(): void {
  const real = fs.watch;
  const watch = (file: string, options: fs.WatchOptions, listener: () => void): unknown => {
    const process = currentProcess();
    if (process === undefined) return real(file, options, listener);
    const entry = { process, inode: fs.statSync(file).ino, listener };
    watches.add(entry);
    const watcher = new EventEmitter();
    return Object.assign(watcher, { close: () => void watches.delete(entry) });
  };
  Object.assign(fs, { watch });
}

/** Tells the watchers of these files that they changed. */
export function filesChanged(files: readonly string[], random: Random): void {
  for (const file of files) {
    const inode = fs.statSync(file, { throwIfNoEntry: false })?.ino;
    for (const watch of watches) {
      if (watch.process.isDead) watches.delete(watch);
      else if (watch.inode === inode) {
        const { process } = watch;
        const fire = (): void => void (watches.has(watch) && watch.listener());
        process.time.start(process, random.int(0, DELAY_MS_MAX), fire);
      }
    }
  }
}
