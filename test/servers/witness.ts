/** Looks at one name again and again while others use it: it is to hold one of the wholes that are named. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LTXFileRef, Replica } from '@sluice/core/backend/testing';
import { held } from '@sluice/backend-test-kit';

export type Whole = Uint8Array | 'none';

export interface Witness {
  /** How often it has looked. */
  readonly looks: number;
  /** Looks once more; rejects with what it has seen at any time that is none of the wholes. */
  end(): Promise<void>;
}

const LOOK_EVERY_MS = 30;

export function watchName(replica: Replica, file: LTXFileRef, wholes: readonly Whole[]): Witness {
  const over = new AbortController();
  let looks = 0;

  async function look(): Promise<void> {
    const found = await held(replica, file);
    const isWhole = wholes.some((whole) => isEqual(whole, found));
    if (!isWhole) throw new Error(`the name holds ${sizeOf(found)}, which nobody has written`);
    const listed = await Array.fromAsync(replica.listFiles('all'));
    const sizes = listed.map(({ sizeBytes }) => sizeBytes);
    const isListedWhole = sizes.every((size) =>
      wholes.some((whole) => whole !== 'none' && whole.byteLength === size),
    );
    if (listed.length > 1 || !isListedWhole)
      throw new Error(`listed are files of ${sizes.join(', ')} bytes`);
    looks += 1;
  }

  async function keepLooking(): Promise<void> {
    while (!over.signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS);
    }
    await look();
  }

  const looking = keepLooking();
  looking.catch(() => undefined); // told by end()
  return {
    get looks() {
      return looks;
    },
    async end() {
      over.abort();
      await looking;
    },
  };
}

function isEqual(a: Whole, b: Whole): boolean {
  return a === 'none' || b === 'none' ? a === b : Buffer.compare(a, b) === 0;
}

function sizeOf(whole: Whole): string {
  return whole === 'none' ? 'nothing' : `${whole.byteLength} bytes`;
}
