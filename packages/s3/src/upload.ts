/**
 * Writes one object, whole or not at all: in one request where it fits into a part, else in parts
 * (multipart.ts). Bytes are read into memory before they are sent: a body stream that fails inside
 * the SDK would leave its `send` pending, and every request has its length and a checksum of all
 * its bytes. Memory is what the destination's budget says, for all uploads together.
 */

import type { Bucket } from './bucket.ts';
import { contentMD5, storage } from './headers.ts';
import { uploadParts } from './multipart.ts';
import { request } from './requests.ts';
import { openSource, type Upload, type Uploaded } from './source.ts';
import { dateOf } from './wire.ts';

/** LTX_TRUNCATED or LTX_INVALID where the body has another size than it said. */
export async function upload(bucket: Bucket, of: Upload): Promise<Uploaded> {
  const { budget, config, work } = bucket;
  const { sizeBytes } = of.body;
  work.check(of.signal);
  if (sizeBytes > config.partSizeBytes) return await uploadParts(bucket, of);
  const giveBack = await budget.take(sizeBytes, [of.signal, work.closing]);
  try {
    return await put(bucket, of, await readWhole(bucket, of));
  } finally {
    giveBack();
  }
}

async function readWhole(bucket: Bucket, of: Upload): Promise<Uint8Array> {
  const reader = openSource(bucket, of);
  try {
    return await reader.next(of.body.sizeBytes);
  } finally {
    await reader.close();
  }
}

async function put(bucket: Bucket, of: Upload, bytes: Uint8Array): Promise<Uploaded> {
  const { client, sdk, config } = bucket;
  const command = new sdk.PutObjectCommand({
    Bucket: config.bucket,
    Key: of.key,
    Body: bytes,
    ContentLength: bytes.byteLength,
    Metadata: { ...of.metadata },
    ...of.condition,
    ...contentMD5(bucket, bytes),
    ...storage(bucket),
  });
  const options = { signals: [of.signal], whenAborted: 'settle' } as const;
  const answer = await request(bucket, of.what, options, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
  return { version: answer.ETag ?? '', modifiedAt: dateOf(answer) };
}
