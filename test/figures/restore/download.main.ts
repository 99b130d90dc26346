/**
 * Downloads all objects below a prefix with the vendor's SDK, in parallel ranges, and makes them
 * durable: what a restore over S3 is compared with.
 *
 *   node test/figures/restore/download.main.ts ENDPOINT BUCKET PREFIX FOLDER
 */

import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';

const RANGE_BYTES = 8 * 1024 * 1024;
const READS_AT_ONCE = 8;

const [, , endpoint = '', bucket = '', prefix = '', folder = ''] = process.argv;
// Credentials come from the environment.
const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });

interface Part {
  readonly key: string;
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

const files: number[] = [];
const parts: Part[] = [];
const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
for (const { Key: key = '', Size: size = 0 } of listed.Contents ?? []) {
  const file = fs.openSync(path.join(folder, key.replaceAll('/', '_')), 'w');
  files.push(file);
  for (let start = 0; start < size; start += RANGE_BYTES) {
    parts.push({ key, file, start, end: Math.min(start + RANGE_BYTES, size) });
  }
}
await Promise.all(Array.from({ length: READS_AT_ONCE }, download));
await Promise.all(files.map((file) => fs.promises.open(`/proc/self/fd/${file}`).then(close)));

async function download(): Promise<void> {
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const { key, file, start, end } = part;
    const { Body: body } = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=${start}-${end - 1}` }),
    );
    const target = fs.createWriteStream('', { fd: file, start, autoClose: false });
    (body as Readable).pipe(target);
    await once(target, 'finish');
  }
}

async function close(handle: fs.promises.FileHandle): Promise<void> {
  await handle.sync();
  await handle.close();
}
