/** Sends a body in parts of one size, as many at once as the memory for them allows. */

import type { Budget } from './budget.ts';
import type { PartReader } from './part-reader.ts';

export interface PartsToSend {
  /** Of the whole body. Closed when all is sent, or nothing more will be. */
  readonly reader: PartReader;
  readonly sizeBytes: number;
  readonly partBytes: number;
  readonly budget: Budget;
  /** Each ends the upload. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/**
 * What `send` gave for each part, in their order. `index` counts from 0. The first failure aborts
 * the signal that the others were given, and is thrown when all of them have ended: no part comes
 * after the clean-up.
 */
export async function sendParts<Sent>(
  { reader, sizeBytes, partBytes, budget, signals: given }: PartsToSend,
  send: (bytes: Uint8Array, index: number, failed: AbortSignal) => Promise<Sent>,
): Promise<Sent[]> {
  const failed = new AbortController();
  const signals = [...given, failed.signal];
  const sending: Promise<Sent>[] = [];
  // Memory of parts that have been answered is used again: the garbage of a fast upload would
  // otherwise be a multiple of what the budget says.
  const spare: Uint8Array[] = [];
  try {
    for (let index = 0; index * partBytes < sizeBytes; index += 1) {
      const giveBack = await budget.take(partBytes, signals);
      try {
        const memory = spare.pop() ?? Buffer.allocUnsafeSlow(partBytes);
        const bytes = await reader.next(partBytes, memory);
        for (const signal of signals) signal?.throwIfAborted();
        const sent = send(bytes, index, failed.signal)
          .then((answer) => {
            spare.push(memory);
            return answer;
          })
          .finally(giveBack);
        // The first part that fails ends the others, and is what the call tells.
        sent.catch((error: unknown) => failed.abort(error));
        sending.push(sent);
      } catch (error) {
        giveBack();
        throw error;
      }
    }
    return await Promise.all(sending);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(sending);
    throw error;
  } finally {
    await reader.close();
  }
}
