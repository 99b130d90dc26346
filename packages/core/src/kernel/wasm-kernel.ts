/** The kernel in WebAssembly: its buffers, its calls, and what their answers mean. */

import fs from 'node:fs';
import { assert, ReplicationError } from '../error.ts';
import type {
  DecodedPages,
  EncodedPages,
  Kernel,
  PageEncoding,
  ScannedFrames,
  WALChecksumState,
} from './kernel.ts';

/** The little of WebAssembly that is used here; its types come with DOM's, which is not ours. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  capacity(): number;
  inputAt(): number;
  outputAt(): number;
  pgnosAt(): number;
  sizesAt(): number;
  checksumsAt(): number;
  crc64(crc: bigint, at: number, length: number): bigint;
  shiftCRC64(crc: bigint, length: bigint): bigint;
  encodePages(pages: number, pageSize: number, asFrames: number, crc: bigint): number;
  decodePages(length: number, pageSize: number, crc: bigint): number;
  crcAfter(): bigint;
  countAfter(): number;
  consumedAfter(): number;
  walChecksum(length: number, bigEndian: number, s0: number, s1: number): void;
  scanFrames(
    length: number,
    pageSize: number,
    salt1: number,
    salt2: number,
    bigEndian: number,
    s0: number,
    s1: number,
  ): number;
  sum0(): number;
  sum1(): number;
}

/** What is wrong with a frame, by the kernel's answer. */
const FAULTS: Readonly<Record<number, string>> = {
  [-1]: 'unknown flags',
  [-2]: 'a compressed length that no page has',
  [-3]: 'an LZ4 block that does not give exactly one page',
  [-4]: 'an LZ4 frame that is not as Litestream writes it',
  [-5]: 'a wrong content checksum',
  [-6]: 'flags without a page number',
};
const STOPPED = ['input', 'batch-full', 'end'] as const;

let module: object | undefined; // compiled once per thread

/** An instance of the compiled module, with a linear memory of its own. */
export function instantiate(): Exports {
  module ??= new WebAssembly.Module(
    fs.readFileSync(new URL('../../wasm/kernel.wasm', import.meta.url)),
  );
  const abort = (): never => {
    throw new TypeError('invariant broken: the kernel aborted');
  };
  return new WebAssembly.Instance(module, { env: { abort } }).exports as Exports;
}

export class WASMKernel implements Kernel {
  readonly input: Uint8Array;
  readonly #exports: Exports;
  readonly #output: Uint8Array;
  readonly #pgnos: Uint32Array;
  readonly #sizes: Uint32Array;
  readonly #checksums: Uint32Array;

  constructor() {
    const wasm = instantiate();
    const { buffer } = wasm.memory;
    const capacity = wasm.capacity();
    const countMax = Math.floor(capacity / 512);
    this.#exports = wasm;
    this.input = new Uint8Array(buffer, wasm.inputAt(), capacity);
    this.#output = new Uint8Array(buffer, wasm.outputAt(), capacity);
    this.#pgnos = new Uint32Array(buffer, wasm.pgnosAt(), countMax);
    this.#sizes = new Uint32Array(buffer, wasm.sizesAt(), countMax);
    this.#checksums = new Uint32Array(buffer, wasm.checksumsAt(), 2 * countMax);
  }

  crc64(bytes: Uint8Array, crc = 0n): bigint {
    let running = crc;
    for (let at = 0; at < bytes.length; at += this.input.length) {
      const part = bytes.subarray(at, at + this.input.length);
      running = this.#exports.crc64(running, this.#place(part), part.length);
    }
    return BigInt.asUintN(64, running);
  }

  encodePages(
    pgnos: Uint32Array,
    pages: Uint8Array,
    pageSize: number,
    encoding: PageEncoding,
    crc: bigint,
  ): EncodedPages {
    assert(pages.length === pgnos.length * pageSize, 'pages are whole, one for each number');
    assert(pages.length <= this.#batchBytesMax, 'a batch of pages is at most BATCH_BYTES_MAX');
    if (pages.length > 0) this.#place(pages, 'at the start');
    this.#pgnos.set(pgnos);
    const asFrames = encoding === 'frame' ? 1 : 0;
    const length = this.#exports.encodePages(pgnos.length, pageSize, asFrames, crc);
    return {
      bytes: this.#output.subarray(0, length),
      sizes: this.#sizes.subarray(0, pgnos.length),
      crc: BigInt.asUintN(64, this.#exports.crcAfter()),
    };
  }

  decodePages(bytes: Uint8Array, pageSize: number, crc: bigint): DecodedPages {
    const part = bytes.subarray(0, this.input.length);
    this.#place(part, 'at the start');
    const stopped = this.#exports.decodePages(part.length, pageSize, crc);
    const count = this.#exports.countAfter();
    if (stopped < 0) throw badFrame(stopped, count, this.#exports.consumedAfter());
    return {
      consumedBytes: this.#exports.consumedAfter(),
      pgnos: this.#pgnos.subarray(0, count),
      pages: this.#output.subarray(0, count * pageSize),
      sizes: this.#sizes.subarray(0, count),
      crc: BigInt.asUintN(64, this.#exports.crcAfter()),
      stopped: STOPPED[stopped] ?? 'input',
    };
  }

  scanFrames(
    bytes: Uint8Array,
    pageSize: number,
    salt1: number,
    salt2: number,
    order: 'little-endian' | 'big-endian',
    state: WALChecksumState,
  ): ScannedFrames {
    assert(bytes.length <= this.input.length, 'frames of one batch fit into the kernel');
    this.#place(bytes, 'at the start');
    const bigEndian = order === 'big-endian' ? 1 : 0;
    const { s0, s1 } = state;
    const wasm = this.#exports;
    const count = wasm.scanFrames(bytes.length, pageSize, salt1, salt2, bigEndian, s0, s1);
    return {
      count,
      pgnos: this.#pgnos.subarray(0, count),
      commits: this.#sizes.subarray(0, count),
      checksums: this.#checksums.subarray(0, 2 * count),
    };
  }

  walChecksum(
    bytes: Uint8Array,
    order: 'little-endian' | 'big-endian',
    state: WALChecksumState = { s0: 0, s1: 0 },
  ): WALChecksumState {
    assert(bytes.length % 8 === 0, 'a WAL checksum covers whole pairs of words');
    let { s0, s1 } = state;
    for (let at = 0; at < bytes.length; at += this.#batchBytesMax) {
      const part = bytes.subarray(at, at + this.#batchBytesMax);
      this.#place(part, 'at the start');
      this.#exports.walChecksum(part.length, order === 'big-endian' ? 1 : 0, s0, s1);
      s0 = this.#exports.sum0() >>> 0;
      s1 = this.#exports.sum1() >>> 0;
    }
    return { s0, s1 };
  }

  /** Pages of one call: the rest of the buffers is for what does not compress, and for headers. */
  get #batchBytesMax(): number {
    return this.input.length - EXTRA_BYTES;
  }

  /** Address of `bytes` in the kernel: where they are if they lie there already, else of a copy. */
  #place(bytes: Uint8Array, where: 'anywhere' | 'at the start' = 'anywhere'): number {
    const isInside = bytes.buffer === this.input.buffer;
    if (isInside && (where === 'anywhere' || bytes.byteOffset === this.input.byteOffset)) {
      return bytes.byteOffset;
    }
    this.input.set(bytes);
    return this.input.byteOffset;
  }
}

/** As in assembly/memory.ts. */
const EXTRA_BYTES = 512 * 1024;

function badFrame(fault: number, count: number, offset: number): ReplicationError {
  const what = FAULTS[fault] ?? `fault ${fault}`;
  const message = `page frame ${count + 1} of the batch, ${offset} bytes in, has ${what}`;
  return new ReplicationError('LTX_INVALID', message);
}
