/** Sends a body in parts of the same size, as many concurrently as the memory allows. */

import { linkSignals } from '../abort.ts';
import type { PartMemory } from './part-memory.ts';
import type { PartReader } from './part-reader.ts';
import { sendAgain, type Resending } from './resend.ts';

export interface PartsToSend {
  /** Reads the whole body. Closed at the end of the upload. */
  readonly reader: PartReader;
  readonly sizeBytes: number;
  readonly partBytes: number;
  readonly memory: PartMemory;
  /** A failed part is resent by itself. */
  readonly resending: Resending;
  /** Each of them ends the upload and its pending requests. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** `index` counts from 0. `over` aborts when the part is no longer needed. */
export type SendPart<Sent> = (bytes: Uint8Array, index: number, over: AbortSignal) => Promise<Sent>;

/**
 * Returns the results of `send` in order. `over` aborts with the first part that cannot be sent, or when
 * the upload ends for another reason. The error is thrown after all parts have ended, so that none arrives
 * after the clean-up.
 */
export async function sendParts<Sent>(
  { reader, sizeBytes, partBytes, memory, resending, signals }: PartsToSend,
  send: SendPart<Sent>,
): Promise<Sent[]> {
  for (const signal of signals) signal?.throwIfAborted();
  const ending = linkSignals(...signals);
  const over = ending.signal;
  const sending: Promise<Sent>[] = [];
  try {
    for (let index = 0; index * partBytes < sizeBytes; index += 1) {
      const releaseMemory = await memory.take(partBytes, [over]);
      try {
        const buffer = memory.borrow(partBytes);
        const bytes = await reader.next(partBytes, buffer);
        over.throwIfAborted();
        const attempt = async (failures: number): Promise<Sent> => {
          const answer = await send(bytes, index, over);
          // A failed attempt may still be sending from the buffer.
          if (failures === 0) memory.recycle(buffer);
          return answer;
        };
        const sent = sendAgain(attempt, resending, over).finally(releaseMemory);
        // The first part that finally fails ends the others, and its error becomes the error of the call.
        sent.catch((error: unknown) => ending.abort(error));
        sending.push(sent);
      } catch (error) {
        releaseMemory();
        throw error;
      }
    }
    return await Promise.all(sending);
  } catch (error) {
    ending.abort(error);
    await Promise.allSettled(sending);
    throw error;
  } finally {
    ending.unlink();
    await reader.close();
  }
}
