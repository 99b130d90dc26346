/**
 * Sends a body in one request or in parts, each of them in memory before it is sent: a stream that
 * fails inside an SDK may leave its call pending, and so every request has its length and a checksum
 * of all its bytes. All uploads of a client share its memory for parts.
 */

import type { Logger } from '../backend.ts';
import type { PartMemory } from './part-memory.ts';
import { linkSignals } from '../abort.ts';
import type { ObjectBody, PutOptions } from '../client.ts';
import { openParts, partSizeFor, type PartReader } from './part-reader.ts';
import { sendAgain } from './resend.ts';
import { sendParts } from './send-parts.ts';
import type { Call, Requests } from './requests.ts';

/** What the uploads of a client share. */
export interface UploadContext {
  readonly requests: Requests;
  readonly memory: PartMemory;
  /** Hears of each part that is sent again. */
  readonly logger?: Logger | undefined;
}

/** One `put` on its way. */
export interface Upload extends Call {
  readonly key: string;
  readonly body: ObjectBody;
  readonly condition: PutOptions['condition'];
}

type ToSend = Pick<Upload, 'body' | 'what' | 'signal'>;

/** For a body no larger than a part. LTX_TRUNCATED or LTX_INVALID if it is not of its size. */
export async function sendWhole<Answer>(
  { requests, memory }: UploadContext,
  { body, what, signal }: ToSend,
  send: (bytes: Uint8Array) => Promise<Answer>,
): Promise<Answer> {
  const signals = [signal, requests.closing];
  const giveBack = await memory.take(body.sizeBytes, signals);
  try {
    return await send(await readWhole(body, openParts(body, what, ...signals)));
  } finally {
    giveBack();
  }
}

async function readWhole({ sizeBytes }: ToSend['body'], reader: PartReader): Promise<Uint8Array> {
  try {
    return await reader.next(sizeBytes);
  } finally {
    await reader.close();
  }
}

export interface PartLimits {
  readonly partSizeBytes: number;
  /** Where so many parts of that size do not hold the body, all of them are larger. */
  readonly partsMax: number;
}

/**
 * As many parts at once as the memory allows, all but the last of one size. Gives what `send` gave
 * for each, in their order; `index` counts from 0, `over` ends a request that is not wanted any more.
 * A part that fails is sent again by itself (resend.ts), so `send` may be called several times for
 * the same bytes. Throws when all parts have ended, so that none comes after the clean-up.
 */
export async function sendInParts<Sent>(
  { requests, memory, logger }: UploadContext,
  { partSizeBytes, partsMax }: PartLimits,
  { body, what, signal }: ToSend,
  send: (bytes: Uint8Array, index: number, over: AbortSignal) => Promise<Sent>,
): Promise<Sent[]> {
  const { sizeBytes } = body;
  const signals = [signal, requests.closing];
  const reader = openParts(body, what, ...signals);
  const partBytes = partSizeFor(sizeBytes, partSizeBytes, partsMax);
  const resending = { logger };
  return await sendParts({ reader, sizeBytes, partBytes, memory, resending, signals }, send);
}

/** The request that makes an object of its parts. It is sent again by itself, as a part is. */
export async function sendLast<Answer>(
  { requests, logger }: UploadContext,
  { signal }: ToSend,
  send: (failures: number) => Promise<Answer>,
): Promise<Answer> {
  const link = linkSignals(signal, requests.closing);
  try {
    return await sendAgain(send, { logger }, link.signal);
  } finally {
    link.unlink();
  }
}
