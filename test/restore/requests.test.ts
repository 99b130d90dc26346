/** How many requests a restore over S3 sends, and how many of them wait for each other. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import type { LoggedRequest } from '../servers/s3/index.ts';
import { timeOf } from './bucket.ts';
import { newPlace } from './place.ts';

/** As over a network. */
const OPTIONS = { roundTripMs: 30 } as const;
const HEADER_RANGE = 'bytes=0-99';

function isHeader({ operation, headers }: LoggedRequest): boolean {
  return operation === 'GetObject' && headers.range === HEADER_RANGE;
}

test('the first page is requested in the third round', async () => {
  const shape = { pages: 50, txids: 40, changes: 3 };
  const { server, history, output, restore } = await newPlace(shape, OPTIONS);
  history.put(9, 1, 1);
  for (let txid = 2; txid <= 40; txid++) history.put(0, txid, txid);
  expect(await restore().ended).toMatchObject({ code: 0, stderr: '' });
  expect(fs.readFileSync(output).equals(history.bytes(40))).toBe(true);
  const first = server.requests.of('GetObject').find((request) => !isHeader(request));
  expect(first?.round).toBe(3);
  // One listing of the files, one of another layout, the newest header, each file once, and the owner at the end.
  expect(server.requests.all().length).toBe(2 + 1 + 40 + 1);
});

test('the plan for a moment 48 h ago among 7,000 files takes at most 40 requests', async () => {
  const txids = 7_000;
  const shape = { pages: 3, txids, changes: 1 };
  const { server, history, output, restore } = await newPlace(shape, OPTIONS);
  const wanted = txids - (48 * 3600) / 30;
  history.put(9, 1, 1);
  for (let txid = 2; txid <= txids; txid++) {
    history.put(0, txid, txid, { uploadedAt: new Date(timeOf(txid).getTime() + 400) });
  }
  const at = ['-timestamp', new Date(timeOf(wanted).getTime() + 50).toISOString()];
  expect(await restore('-dry-run', ...at).ended).toMatchObject({ code: 0, stderr: '' });
  expect(server.requests.all().length).toBeLessThanOrEqual(26);
  server.requests.clear();

  // The restore reads no header a second time.
  expect(await restore(...at).ended).toMatchObject({ code: 0 });
  expect(fs.readFileSync(output).equals(history.bytes(wanted))).toBe(true);
  expect(server.requests.all().length - wanted).toBeLessThanOrEqual(26);
  server.requests.clear();

  // A copied bucket has other upload times.
  for (const key of server.raw.keys()) {
    const bytes = server.raw.get(key)?.bytes ?? Buffer.alloc(0);
    server.raw.put(key, bytes, timeOf(2 * txids));
  }
  expect(await restore('-dry-run', ...at).ended).toMatchObject({ code: 0, stderr: '' });
  expect(server.requests.all().length).toBeLessThanOrEqual(40);
});
