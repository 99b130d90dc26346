/**
 * Files that simulated processes open directly: the copy that a follower writes. A process that is killed may
 * have written a part of its bytes, and its descriptors are closed with it.
 */

import fs from 'node:fs';
import { currentProcess } from './virtual-time.ts';

/** Replaces the synchronous calls of `fs` for processes that own descriptors. Call once. */
export function installDescriptors(): void {
  const { openSync, closeSync, writeSync } = fs;
  const { open } = fs.promises;
  Object.assign(fs.promises, {
    async open(...values: Parameters<typeof open>): ReturnType<typeof open> {
      const handle = await open(...values);
      currentProcess()?.handles?.add(handle);
      return handle;
    },
  });
  Object.assign(fs, {
    openSync(...values: Parameters<typeof openSync>): number {
      const descriptor = openSync(...values);
      currentProcess()?.descriptors?.add(descriptor);
      return descriptor;
    },
    closeSync(descriptor: number): void {
      currentProcess()?.descriptors?.delete(descriptor);
      closeSync(descriptor);
    },
    writeSync(
      descriptor: number,
      bytes: Uint8Array,
      offset: number,
      length: number,
      position: number | null,
    ): number {
      const process = currentProcess();
      if (process?.descriptors === undefined || process.mayWrite()) {
        return writeSync(descriptor, bytes, offset, length, position);
      }
      if (process.isDying) writeSync(descriptor, bytes, offset, length >> 1, position);
      throw new Error(`${process.name} was killed`);
    },
  });
}
