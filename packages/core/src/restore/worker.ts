/** A thread of a restore: decodes, verifies, and writes the newest version of each page. */

import fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { assert, isError, messageOf, ReplicationError } from '../error.ts';
import { createKernel } from '../kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../ltx/decoder.ts';
import { lockPgno } from '../ltx/header.ts';
import { PAGE_HEADER_SIZE_BYTES } from '../ltx/page-frame.ts';
import { Claims } from './claims.ts';
import type { Done, Setting, WholeFile, Work } from './messages.ts';

assert(parentPort !== null, 'this file runs as a worker');
const port = parentPort;
const kernel = createKernel();
let setting: Setting | undefined;
let claims: Claims | undefined;

port.on('message', (work: Work) => {
  if (work.kind === 'set') {
    setting = work.setting;
    claims = new Claims(setting.claims);
    return;
  }
  port.postMessage(attempt(work));
});

function attempt(work: Exclude<Work, { kind: 'set' }>): Done {
  try {
    return work.kind === 'whole' ? decodeFiles(work) : decodeRange(work);
  } catch (error) {
    return {
      kind: 'failed',
      code: isError(error) ? error.code : undefined,
      message: messageOf(error),
    };
  }
}

/** Newest first; what lies before a full image is not looked at. */
function decodeFiles(work: Work & { kind: 'whole' }): Done {
  const files: WholeFile[] = [];
  for (const { bytes, name } of work.files) {
    const decoder = new LTXDecoder(kernel);
    try {
      for (const { pgnos, pages } of decoder.push(bytes)) {
        checkPageSize(decoder.header?.pageSize, name);
        write(pgnos, pages);
      }
      const { pageCount } = decoder.finish();
      const { header } = decoder;
      assert(header !== undefined, 'a finished file has a header');
      checkPageSize(header.pageSize, name);
      files.push({ header, pageCount });
      if (isFullImage(header, pageCount)) break;
    } catch (error) {
      if (!isError(error)) throw error;
      throw new ReplicationError(error.code, `${name}: ${error.message}`, { cause: error });
    }
  }
  return { kind: 'whole', files };
}

function checkPageSize(pageSize: number | undefined, name: string): void {
  if (pageSize === undefined || pageSize === setting?.pageSize) return;
  throw new ReplicationError(
    'LTX_NOT_CONTIGUOUS',
    `${name}: its pages have ${pageSize} bytes, those of the newest file ${setting?.pageSize}`,
  );
}

function decodeRange(work: Work & { kind: 'range' }): Done {
  assert(setting !== undefined, 'a setting comes before any work');
  const { pageSize } = setting;
  let crc = 0n;
  let hashedBytes = 0;
  let pageCount = 0;
  let firstPgno = 0;
  let lastPgno = 0;
  for (let at = 0; at < work.bytes.length;) {
    const decoded = kernel.decodePages(work.bytes.subarray(at), pageSize, crc);
    if (decoded.pgnos.length === 0 || decoded.stopped === 'end') {
      throw new ReplicationError('LTX_INVALID', 'pages do not end where the page index says');
    }
    for (const pgno of decoded.pgnos) {
      if (pgno <= lastPgno) {
        throw new ReplicationError('LTX_INVALID', `page ${pgno} follows page ${lastPgno}`);
      }
      if (firstPgno === 0) firstPgno = pgno;
      lastPgno = pgno;
    }
    hashedBytes += hashedBytesOf(work.bytes, at, decoded.sizes, pageSize);
    pageCount += decoded.pgnos.length;
    crc = decoded.crc;
    at += decoded.consumedBytes;
    write(decoded.pgnos, decoded.pages);
  }
  return { kind: 'range', crc, hashedBytes, firstPgno, lastPgno, pageCount };
}

/** What the file checksum covers of these frames: page headers, size prefixes, and the pages. */
function hashedBytesOf(
  bytes: Uint8Array,
  start: number,
  sizes: Uint32Array,
  pageSize: number,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  let hashed = 0;
  for (const size of sizes) {
    const prefix = view.getUint16(at + 4) === 0 ? 0 : 4;
    hashed += PAGE_HEADER_SIZE_BYTES + prefix + pageSize;
    at += size;
  }
  return hashed;
}

/** Writes pages that no newer file had, neighbours in one call. */
function write(pgnos: Uint32Array, pages: Uint8Array): void {
  assert(setting !== undefined && claims !== undefined, 'a setting comes before any work');
  const { pageSize, commit, descriptor } = setting;
  const lock = lockPgno(pageSize);
  let first = 0;
  let run = 0;
  const flush = (): void => {
    if (run === 0) return;
    const position = ((pgnos[first] ?? 0) - 1) * pageSize;
    const bytes = pages.subarray(first * pageSize, (first + run) * pageSize);
    writeFully(descriptor, bytes, position);
    run = 0;
  };
  for (let i = 0; i < pgnos.length; i++) {
    const pgno = pgnos[i] ?? 0;
    const isWanted = pgno <= commit && pgno !== lock && claims.claim(pgno);
    if (run > 0 && (!isWanted || pgno !== (pgnos[i - 1] ?? 0) + 1)) flush();
    if (!isWanted) continue;
    if (run === 0) first = i;
    run += 1;
  }
  flush();
}

function writeFully(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) {
    at += fs.writeSync(descriptor, bytes, at, bytes.length - at, position + at);
  }
}
