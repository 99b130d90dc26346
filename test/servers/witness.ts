/** Reads one name repeatedly during writes, and verifies that its content is always complete. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LTXFileRef, Replica } from '@sluice/core/backend/testing';
import { readIfPresent } from '@sluice/backend-test-kit';

export type Whole = Uint8Array | 'none';

export interface Witness {
  /** Number of reads so far. */
  readonly reads: number;
  /** Reads once more. Rejects if any read had other content. */
  end(): Promise<void>;
}

const POLL_MS = 30;

export function watchName(replica: Replica, file: LTXFileRef, wholes: readonly Whole[]): Witness {
  const over = new AbortController();
  let reads = 0;

  async function readOnce(): Promise<void> {
    const found = await readIfPresent(replica, file);
    const isWhole = wholes.some((whole) => isEqual(whole, found));
    if (!isWhole) throw new Error(`the file has ${sizeOf(found)}, which is no complete content`);
    const listed = await Array.fromAsync(replica.listFiles('all'));
    const sizes = listed.map(({ sizeBytes }) => sizeBytes);
    const isListedWhole = sizes.every((size) =>
      wholes.some((whole) => whole !== 'none' && whole.byteLength === size),
    );
    if (listed.length > 1 || !isListedWhole)
      throw new Error(`the listing has files of ${sizes.join(', ')} bytes`);
    reads += 1;
  }

  async function keepReading(): Promise<void> {
    while (!over.signal.aborted) {
      await readOnce();
      await sleep(POLL_MS);
    }
    await readOnce();
  }

  const reading = keepReading();
  reading.catch(() => undefined); // end() rejects with the error
  return {
    get reads() {
      return reads;
    },
    async end() {
      over.abort();
      await reading;
    },
  };
}

function isEqual(a: Whole, b: Whole): boolean {
  return a === 'none' || b === 'none' ? a === b : Buffer.compare(a, b) === 0;
}

function sizeOf(whole: Whole): string {
  return whole === 'none' ? 'nothing' : `${whole.byteLength} bytes`;
}
