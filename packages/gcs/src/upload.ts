/**
 * Writes one object, whole or not at all. Up to a part's size it is one request (multipart/related:
 * the metadata, then the bytes); above, a resumable upload (session.ts). Bytes are read into memory
 * before they are sent: a source that fails or ends early never makes an object, and a part can be
 * sent again. Google is told the MD5 of all bytes with the last of them, and refuses others.
 */

import { createHash, randomUUID } from 'node:crypto';
import type { ObjectInfo } from '@sluice/core/backend';
import type { Upload } from '@sluice/core/backend/http';
import type { PartReader } from '@sluice/core/backend/folder';
import { openParts } from '@sluice/core/backend/http';
import type { Bucket } from './bucket.ts';
import { callOf, readNewObject, resourceOf, toUploaded } from './new-object.ts';
import { Session } from './session.ts';

/** LTX_TRUNCATED or LTX_INVALID where the body has another size than it said. */
export async function upload(bucket: Bucket, of: Upload): Promise<ObjectInfo> {
  const reader = openParts(of.body, of.what, of.signal, bucket.requests.closing);
  try {
    const isSmall = of.body.sizeBytes <= bucket.config.partSizeBytes;
    if (isSmall) return await putWhole(bucket, of, reader);
    return await new Session(bucket, of, reader).put();
  } finally {
    await reader.close();
  }
}

async function putWhole(bucket: Bucket, of: Upload, reader: PartReader): Promise<ObjectInfo> {
  const { sizeBytes } = of.body;
  const giveBack = await bucket.memory.take(sizeBytes, [of.signal, bucket.requests.closing]);
  try {
    return await putMultipart(bucket, of, reader);
  } finally {
    giveBack();
  }
}

async function putMultipart(bucket: Bucket, of: Upload, reader: PartReader): Promise<ObjectInfo> {
  const { sizeBytes } = of.body;
  const boundary = `sluice-${randomUUID()}`;
  const head = (md5Hash: string): string =>
    [
      `--${boundary}`,
      'content-type: application/json; charset=UTF-8',
      '',
      JSON.stringify({ ...resourceOf(of), md5Hash }),
      `--${boundary}`,
      'content-type: application/octet-stream',
      '',
      '',
    ].join('\r\n');
  const start = Buffer.byteLength(head(MD5_OF_NOTHING)); // any MD5 is as long
  const end = `\r\n--${boundary}--\r\n`;
  const data = Buffer.allocUnsafeSlow(start + sizeBytes + end.length);
  const bytes = await reader.next(sizeBytes, data.subarray(start));
  bucket.requests.check(of.signal);
  const md5 = createHash('md5').update(bytes).digest('base64');
  data.write(head(md5), 'utf8');
  data.write(end, start + sizeBytes, 'utf8');
  const call = {
    ...callOf(bucket, of, 'multipart'),
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    data,
    whenAborted: 'settle',
  } as const;
  return toUploaded(readNewObject(bucket, await bucket.send(call, 200), of), of, md5);
}

const MD5_OF_NOTHING = createHash('md5').digest('base64');
