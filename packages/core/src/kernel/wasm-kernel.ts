/** `Kernel` over the WebAssembly module that `assembly/` compiles to. */

import fs from 'node:fs';
import { ReplicationError, assert } from '../error.ts';
import type {
  DecodedPages,
  EncodedPages,
  Kernel,
  PageEncoding,
  ScannedFrames,
  WALChecksumState,
} from './kernel.ts';

/** The part of the WebAssembly API used here. Its official types come with the DOM library. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface WASMGlobal {
  readonly value: number;
}

type ByteOrder = 'little-endian' | 'big-endian';

/**
 * The exports of assembly/index.ts. Numbers are addresses, bytes and page numbers; i64 is a bigint.
 */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly BATCH_BYTES_MAX: WASMGlobal;
  readonly RESULT: WASMGlobal;
  readonly PGNOS: WASMGlobal;
  readonly SIZES: WASMGlobal;
  readonly COMMITS: WASMGlobal;
  readonly CHECKSUMS: WASMGlobal;
  readonly INPUT: WASMGlobal;
  readonly INPUT_BYTES: WASMGlobal;
  readonly OUTPUT: WASMGlobal;
  readonly WINDOW: WASMGlobal;
  crc64Update(register: bigint, from: number, length: number): bigint;
  crc64Shift(crc: bigint, length: bigint): bigint;
  encodePages(
    count: number,
    from: number,
    pageSize: number,
    flags: number,
    register: bigint,
  ): number;
  decodePages(from: number, length: number, pageSize: number, register: bigint): number;
  decodeWindow(
    from: number,
    length: number,
    pageSize: number,
    register: bigint,
    after: number,
    firstPgno: number,
    lastPgno: number,
    commit: number,
    taken: number,
  ): number;
  compressBlock(from: number, length: number, to: number): number;
  decompressBlock(from: number, length: number, to: number, outputLength: number): number;
  xxh32(from: number, length: number): number;
  hashPages(count: number, from: number, pageSize: number, seed: bigint): void;
  walChecksum(from: number, length: number, bigEndian: number): void;
  scanFrames(
    from: number,
    length: number,
    pageSize: number,
    salt1: number,
    salt2: number,
    bigEndian: number,
  ): number;
}

const PAGE_FLAGS: Readonly<Record<PageEncoding, number>> = { frame: 0, block: 1 };

/** Indexed by the return values of decodePages in assembly/pages.ts. */
const STOPPED = ['input', 'batch-full', 'end'] as const;

/**
 * Set in the return value of decodePages for an invalid page frame; the rest is an index of FAULTS.
 */
export const FAULT = 0x80000000;
const FAULTS = [
  'its flags are unknown',
  'its size is impossible for a page',
  'its LZ4 block does not decode to exactly one page',
  'its LZ4 frame has a header that Litestream never writes',
  'its LZ4 frame does not end after one block',
  'the checksum of its LZ4 frame does not match',
] as const;

let compiled: object | undefined; // once per thread

/** An instance of the compiled module, with its own linear memory. */
export function instantiate(): KernelExports {
  compiled ??= new WebAssembly.Module(
    fs.readFileSync(new URL('../../wasm/kernel.wasm', import.meta.url)),
  );
  return new WebAssembly.Instance(compiled).exports as KernelExports;
}

/** LTX_INVALID for a fault that decodePages or decodeWindow returned. */
export function frameError(stopped: number, result: DataView): ReplicationError {
  const [consumedBytes, pgno] = [result.getUint32(12, true), result.getUint32(16, true)];
  const reason = FAULTS[stopped - FAULT];
  return new ReplicationError(
    'LTX_INVALID',
    `decode page ${pgno}, ${consumedBytes} bytes into a batch of page frames: ${reason}; the file is damaged or was not written by an LTX encoder`,
  );
}

export class WASMKernel implements Kernel {
  readonly input: Uint8Array;
  readonly #wasm: KernelExports;
  readonly #buffer: ArrayBuffer;
  readonly #inputAddress: number;
  readonly #outputAddress: number;
  readonly #batchBytesMax: number;
  readonly #result: DataView;

  constructor(wasm: KernelExports) {
    this.#wasm = wasm;
    this.#buffer = wasm.memory.buffer;
    this.#inputAddress = wasm.INPUT.value;
    this.#outputAddress = wasm.OUTPUT.value;
    this.#batchBytesMax = wasm.BATCH_BYTES_MAX.value;
    this.#result = new DataView(this.#buffer, wasm.RESULT.value, 64);
    this.input = new Uint8Array(this.#buffer, this.#inputAddress, wasm.INPUT_BYTES.value);
  }

  crc64(bytes: Uint8Array, crc = 0n): bigint {
    let register = ~crc;
    for (let at = 0; at < bytes.length; at += this.#batchBytesMax) {
      const part = bytes.subarray(at, at + this.#batchBytesMax);
      register = this.#wasm.crc64Update(register, this.#place(part), part.length);
    }
    return BigInt.asUintN(64, ~register);
  }

  encodePages(
    pgnos: Uint32Array,
    pages: Uint8Array,
    pageSize: number,
    encoding: PageEncoding,
    crc: bigint,
  ): EncodedPages {
    assertPageSize(pageSize);
    assert(pages.length === pgnos.length * pageSize, 'there is one page per page number');
    assert(
      pages.length <= this.#batchBytesMax,
      'a batch has at most BATCH_BYTES_MAX bytes of pages',
    );
    // Copy the page numbers first: they may be a view that `#place` overwrites.
    const table = this.#table(this.#wasm.PGNOS, pgnos.length);
    table.set(pgnos);
    const from = this.#place(pages);
    const length = this.#wasm.encodePages(pgnos.length, from, pageSize, PAGE_FLAGS[encoding], ~crc);
    return {
      bytes: new Uint8Array(this.#buffer, this.#outputAddress, length),
      sizes: this.#table(this.#wasm.SIZES, pgnos.length),
      crc: this.#crc(),
    };
  }

  decodePages(bytes: Uint8Array, pageSize: number, crc: bigint): DecodedPages {
    assertPageSize(pageSize);
    assert(bytes.length <= this.input.length, 'a batch fits into the input');
    const from = this.#place(bytes);
    const stopped = this.#wasm.decodePages(from, bytes.length, pageSize, ~crc) >>> 0;
    const count = this.#result.getUint32(8, true);
    const consumedBytes = this.#result.getUint32(12, true);
    if (stopped >= FAULT) throw frameError(stopped, this.#result);
    const reason = STOPPED[stopped];
    assert(reason !== undefined, 'the kernel returns a known reason');
    return {
      consumedBytes,
      pgnos: this.#table(this.#wasm.PGNOS, count),
      pages: new Uint8Array(this.#buffer, this.#outputAddress, count * pageSize),
      sizes: this.#table(this.#wasm.SIZES, count),
      crc: this.#crc(),
      stopped: reason,
    };
  }

  scanFrames(
    bytes: Uint8Array,
    pageSize: number,
    salt1: number,
    salt2: number,
    order: ByteOrder,
    state: WALChecksumState,
  ): ScannedFrames {
    assertPageSize(pageSize);
    assert(bytes.length <= this.input.length, 'a batch fits into the input');
    const from = this.#place(bytes);
    this.#setState(state);
    const count = this.#wasm.scanFrames(
      from,
      bytes.length,
      pageSize,
      salt1,
      salt2,
      order === 'big-endian' ? 1 : 0,
    );
    return {
      count,
      pgnos: this.#table(this.#wasm.PGNOS, count),
      commits: this.#table(this.#wasm.COMMITS, count),
      checksums: this.#table(this.#wasm.CHECKSUMS, count * 2),
    };
  }

  walChecksum(
    bytes: Uint8Array,
    order: ByteOrder,
    state: WALChecksumState = { s0: 0, s1: 0 },
  ): WALChecksumState {
    assert(bytes.length % 8 === 0, 'the WAL checksum covers pairs of words');
    this.#setState(state);
    for (let at = 0; at < bytes.length; at += this.#batchBytesMax) {
      const part = bytes.subarray(at, at + this.#batchBytesMax);
      this.#wasm.walChecksum(this.#place(part), part.length, order === 'big-endian' ? 1 : 0);
    }
    return { s0: this.#result.getUint32(0, true), s1: this.#result.getUint32(4, true) };
  }

  hashPages(pages: Uint8Array, pageSize: number, seed: bigint): Uint32Array {
    assertPageSize(pageSize);
    assert(pages.length % pageSize === 0, 'only whole pages are hashed');
    assert(
      pages.length <= this.#batchBytesMax,
      'a batch has at most BATCH_BYTES_MAX bytes of pages',
    );
    const count = pages.length / pageSize;
    this.#wasm.hashPages(count, this.#place(pages), pageSize, seed);
    return this.#table(this.#wasm.CHECKSUMS, count * 2);
  }

  /** Address of `bytes` in our memory. Copies them into `input` unless they are there already. */
  #place(bytes: Uint8Array): number {
    const { buffer, byteOffset, length } = bytes;
    const end = this.#inputAddress + this.input.length;
    if (buffer === this.#buffer && byteOffset >= this.#inputAddress && byteOffset + length <= end) {
      return byteOffset;
    }
    this.input.set(bytes);
    return this.#inputAddress;
  }

  #table(address: WASMGlobal, length: number): Uint32Array {
    return new Uint32Array(this.#buffer, address.value, length);
  }

  #crc(): bigint {
    return BigInt.asUintN(64, ~this.#result.getBigUint64(0, true));
  }

  #setState(state: WALChecksumState): void {
    this.#result.setUint32(0, state.s0, true);
    this.#result.setUint32(4, state.s1, true);
  }
}

function assertPageSize(pageSize: number): void {
  assert(
    pageSize >= 512 && pageSize <= 65536 && Number.isInteger(Math.log2(pageSize)),
    'a page size is a power of two from 512 to 65536',
  );
}
