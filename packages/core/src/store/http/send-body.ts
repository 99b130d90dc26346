/**
 * Sends a body in one request or in parts. Each is read into memory before it is sent: a stream that fails
 * inside an SDK may leave its call pending, and this way every request has its length and a checksum of all
 * its bytes. All uploads of a client share its memory for parts.
 */

import type { Logger } from '../backend.ts';
import type { PartMemory } from './part-memory.ts';
import { linkSignals } from '../abort.ts';
import type { ObjectBody, PutOptions } from '../client.ts';
import { openParts, partSizeFor, type PartReader } from './part-reader.ts';
import { sendAgain } from './resend.ts';
import { sendParts } from './send-parts.ts';
import type { Call, Requests } from './requests.ts';

/** Resources shared by the uploads of a client. */
export interface UploadContext {
  readonly requests: Requests;
  readonly memory: PartMemory;
  /** Logs each part that is resent. */
  readonly logger?: Logger | undefined;
}

/** One `put` in progress. */
export interface Upload extends Call {
  readonly key: string;
  readonly body: ObjectBody;
  readonly condition: PutOptions['condition'];
}

type ToSend = Pick<Upload, 'body' | 'what' | 'signal'>;

/** Sends a body that is no larger than a part. LTX_TRUNCATED or LTX_INVALID if its size is wrong. */
export async function sendWhole<Answer>(
  { requests, memory }: UploadContext,
  { body, what, signal }: ToSend,
  send: (bytes: Uint8Array) => Promise<Answer>,
): Promise<Answer> {
  const signals = [signal, requests.closing];
  const releaseMemory = await memory.take(body.sizeBytes, signals);
  try {
    return await send(await readWhole(body, openParts(body, what, ...signals)));
  } finally {
    releaseMemory();
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
  /** Maximum number of parts. If it is not enough, all parts are made larger. */
  readonly partsMax: number;
}

/**
 * Sends parts of the same size (the last may be smaller), as many concurrently as the memory allows.
 * Returns the results of `send` in order. `index` counts from 0; `over` aborts a request that is no longer
 * needed. A failed part is resent by itself (resend.ts), so `send` may be called several times for the same
 * bytes. Throws after all parts have ended, so that none arrives after the clean-up.
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

/** Sends the request that completes an upload. It is resent by itself, like a part. */
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
