// The codec kernel, one thread, beside packages from npm. Medians.
//
//   node packages/core/bench/kernel.bench.mjs [--json]

import assert from 'node:assert/strict';
import { availableParallelism, cpus } from 'node:os';
import { BATCH_BYTES_MAX, createKernel } from '../src/kernel/kernel.ts';
import { jsCRC64, lz4JS, lz4Napi, plainWALChecksum, tableCRC64 } from './kernel-others.mjs';
import { generatedPages, goldenPages, randomPages } from './kernel-pages.mjs';

const PAGE_BYTES = 4096;
const MEASURE_MS = 1500;
const WARM_UP_ROUNDS = 5;
const ROUNDS_MIN = WARM_UP_ROUNDS + 5;

/** Figures to reach, MB/s on one thread. */
const BARS = { compress: 250, decompress: 700, crc64: 3000 };

const kernel = createKernel();
const samples = {
  'largest golden database': goldenPages(kernel, 'block-64k-autovacuum'),
  'golden database of 4 KiB pages': goldenPages(kernel, 'block-4k'),
  'generated orders': generatedPages(),
  'random pages': randomPages(BATCH_BYTES_MAX),
};

const rows = [
  ...Object.entries(samples).flatMap(([name, pages]) => [
    compressing(name, pages, 'block', BARS.compress),
    decompressing(name, pages, 'block', BARS.decompress),
  ]),
  compressing('generated orders, LZ4 frames', samples['generated orders'], 'frame'),
  decompressing('generated orders, LZ4 frames', samples['generated orders'], 'frame'),
  hashing('CRC-64, 1 MiB a call', BATCH_BYTES_MAX),
  hashing('CRC-64, 4 KiB a call', PAGE_BYTES),
  checksumming('little-endian'),
  checksumming('big-endian'),
];

const result = {
  name: 'kernel',
  command: 'node packages/core/bench/kernel.bench.mjs',
  note: 'Pages of 4 KiB. Ours compresses or decompresses and hashes, a batch a call; lz4-napi and lz4js do LZ4 alone, a page a call. Plain JS: a table of 256 entries for the CRC.',
  rows,
};
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else print(result);

function compressing(name, pages, encoding, bar) {
  const batches = cut(pages, BATCH_BYTES_MAX).map((bytes) => ({ bytes, pgnos: pgnosOf(bytes) }));
  const single = cut(pages, PAGE_BYTES);
  let size = 0;
  const speeds = speedsOf(pages.length, {
    ours: () => {
      size = 0;
      for (const { bytes, pgnos } of batches) {
        size += kernel.encodePages(pgnos, bytes, PAGE_BYTES, encoding, 0n).bytes.length;
      }
    },
    'lz4-napi': () => single.forEach(lz4Napi.compress),
    lz4js: () => single.forEach(lz4JS.compress),
  });
  const percent = Math.round((100 * size) / pages.length);
  return row(`compress + CRC: ${name}, to ${percent} %`, speeds, bar);
}

function decompressing(name, pages, encoding, bar) {
  const batches = cut(pages, BATCH_BYTES_MAX).map((bytes) =>
    Buffer.from(kernel.encodePages(pgnosOf(bytes), bytes, PAGE_BYTES, encoding, 0n).bytes),
  );
  const back = batches.map((bytes) => Buffer.from(kernel.decodePages(bytes, PAGE_BYTES, 0n).pages));
  assert.equal(Buffer.compare(Buffer.concat(back), pages), 0, 'pages come back');
  const single = cut(pages, PAGE_BYTES);
  const byNapi = single.map(lz4Napi.compress);
  const byJS = single.map(lz4JS.compress);
  const speeds = speedsOf(pages.length, {
    ours: () => batches.forEach((bytes) => kernel.decodePages(bytes, PAGE_BYTES, 0n)),
    'lz4-napi': () => byNapi.forEach(lz4Napi.decompress),
    ...(byJS.includes(undefined) ? {} : { lz4js: () => byJS.forEach(lz4JS.decompress) }),
  });
  return row(`decompress + CRC: ${name}`, speeds, bar);
}

function hashing(name, bytesPerCall) {
  const bytes = samples['random pages'];
  assert.equal(tableCRC64(bytes), kernel.crc64(bytes), 'the CRCs agree');
  assert.equal(BigInt(`0x${jsCRC64(bytes)}`), kernel.crc64(bytes), 'the CRCs agree');
  kernel.input.set(bytes);
  const parts = cut(kernel.input.subarray(0, bytes.length), bytesPerCall);
  const speeds = speedsOf(bytes.length, {
    ours: () => parts.forEach((part) => kernel.crc64(part)),
    'js-crc': () => jsCRC64(bytes),
    'plain JS': () => tableCRC64(bytes),
  });
  return row(name, speeds, BARS.crc64);
}

function checksumming(order) {
  const bytes = Buffer.from(samples['random pages']);
  if (order === 'big-endian') bytes.swap32();
  const words = new Uint32Array(new Uint8Array(samples['random pages']).buffer);
  assert.deepEqual(plainWALChecksum(words), kernel.walChecksum(bytes, order), 'both sums agree');
  kernel.input.set(bytes);
  const view = kernel.input.subarray(0, bytes.length);
  const speeds = speedsOf(bytes.length, {
    ours: () => kernel.walChecksum(view, order),
    ...(order === 'little-endian' ? { 'plain JS': () => plainWALChecksum(words) } : {}),
  });
  return row(`WAL checksum, ${order}`, speeds);
}

function row(what, { ours, ...beside }, bar) {
  return { what, unit: 'MB/s', ours, beside, ...(bar === undefined ? {} : { bar }) };
}

/** Median speeds in MB/s of some that go through `sizeBytes`, taking turns: what disturbs one disturbs all. */
function speedsOf(sizeBytes, contenders) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0, end = Infinity; round < ROUNDS_MIN || performance.now() < end; round++) {
    if (round === WARM_UP_ROUNDS) end = performance.now() + MEASURE_MS;
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      run();
      if (round >= WARM_UP_ROUNDS) times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, of]) => {
      of.sort((a, b) => a - b);
      return [name, Math.round(sizeBytes / (of[of.length >> 1] * 1000))];
    }),
  );
}

function cut(bytes, size) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

function pgnosOf(bytes) {
  return Uint32Array.from({ length: bytes.length / PAGE_BYTES }, (_, i) => i + 1);
}

function print({ note }) {
  console.log(
    `${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}. MB/s. ${note}\n`,
  );
  for (const { what, ours, beside, bar } of rows) {
    const others = Object.entries(beside).map(([label, speed]) => `${label} ${speed}`);
    const reached = bar === undefined ? '' : `bar ${bar}${ours < bar ? ' MISSED' : ''}; `;
    console.log(`${what.padEnd(66)} ${String(ours).padStart(6)}   ${reached}${others.join(', ')}`);
  }
}
