/** Sends a body in parts of one size, as many at once as the memory for them allows. */

import { linkSignals } from '../abort.ts';
import type { PartMemory } from './part-memory.ts';
import type { PartReader } from './part-reader.ts';
import { sendAgain, type Resending } from './resend.ts';

export interface PartsToSend {
  /** Of the whole body. Closed when all is sent, or nothing more will be. */
  readonly reader: PartReader;
  readonly sizeBytes: number;
  readonly partBytes: number;
  readonly memory: PartMemory;
  /** A part that fails is sent again by itself. */
  readonly resending: Resending;
  /** Each ends the upload, and what is on its way. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** `index` counts from 0. `over` aborts when the part is not wanted any more. */
export type SendPart<Sent> = (bytes: Uint8Array, index: number, over: AbortSignal) => Promise<Sent>;

/**
 * What `send` gave for each part, in their order. `over` aborts with the first part that cannot be
 * sent, or with whatever else ends the upload; that is thrown when all parts have ended: none comes
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
      const giveBack = await memory.take(partBytes, [over]);
      try {
        const buffer = memory.borrow(partBytes);
        const bytes = await reader.next(partBytes, buffer);
        over.throwIfAborted();
        const attempt = async (failures: number): Promise<Sent> => {
          const answer = await send(bytes, index, over);
          // What a failed attempt was sending may still be on its way.
          if (failures === 0) memory.recycle(buffer);
          return answer;
        };
        const sent = sendAgain(attempt, resending, over).finally(giveBack);
        // The first part that fails for good ends the others, and its error is the call's.
        sent.catch((error: unknown) => ending.abort(error));
        sending.push(sent);
      } catch (error) {
        giveBack();
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
