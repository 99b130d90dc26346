/**
 * Decodes page frames into a window of a database, a run of pages (assembly/window.ts). For restores: each page is
 * decoded, hashed and put in its place in one call for many frames, and the window is written from there.
 */

import { FAULT, frameError, instantiate, type KernelExports } from './wasm-kernel.ts';

export interface WindowRange {
  readonly firstPgno: number;
  readonly lastPgno: number;
  /** Later pages are decoded and hashed only. */
  readonly commit: number;
}

export interface DecodedFrames {
  /** Bytes that were whole page frames. 0 if the first frame is not complete yet. */
  readonly consumedBytes: number;
  readonly pages: number;
  /** Bytes that the file checksum covers. */
  readonly hashedBytes: number;
  readonly lastPgno: number;
  readonly crc: bigint;
  /** 'end': at the six zero bytes that end the pages. 'order': at a page that does not belong here. */
  readonly stopped: 'input' | 'end' | 'order';
}

const STOPPED = ['input', 'input', 'end', 'order'] as const;
const MEMORY_PAGE_BYTES = 64 * 1024;

export class WindowKernel {
  /** As in Kernel. */
  readonly input: Uint8Array;
  /** The pages of the window. It begins at a page of the system. */
  readonly pages: Uint8Array;
  /** One byte for each page, 0 until it was put there. The caller sets them to 0 before a window. */
  readonly taken: Uint8Array;
  readonly pageSize: number;
  readonly #wasm: KernelExports;
  readonly #result: DataView;

  constructor(pageSize: number, windowPages: number) {
    const wasm = instantiate();
    const pagesBytes = windowPages * pageSize;
    wasm.memory.grow(Math.ceil((pagesBytes + windowPages) / MEMORY_PAGE_BYTES));
    const { buffer } = wasm.memory;
    this.pageSize = pageSize;
    this.input = new Uint8Array(buffer, wasm.INPUT.value, wasm.INPUT_BYTES.value);
    this.pages = new Uint8Array(buffer, wasm.WINDOW.value, pagesBytes);
    this.taken = new Uint8Array(buffer, wasm.WINDOW.value + pagesBytes, windowPages);
    this.#wasm = wasm;
    this.#result = new DataView(buffer, wasm.RESULT.value, 64);
  }

  /**
   * Decodes the page frames in the input from `start` to `end`. Their pages must ascend, from after `afterPgno` to
   * the end of the window. LTX_INVALID for an invalid frame, as Kernel.decodePages.
   */
  decode(
    { start, end }: { readonly start: number; readonly end: number },
    { firstPgno, lastPgno, commit }: WindowRange,
    { afterPgno, crc }: { readonly afterPgno: number; readonly crc: bigint },
  ): DecodedFrames {
    const stopped =
      this.#wasm.decodeWindow(
        this.input.byteOffset + start,
        end - start,
        this.pageSize,
        ~crc,
        afterPgno,
        firstPgno,
        lastPgno,
        commit,
        this.taken.byteOffset,
      ) >>> 0;
    if (stopped >= FAULT) throw frameError(stopped, this.#result);
    const number = (at: number): number => this.#result.getUint32(at, true);
    return {
      consumedBytes: number(12),
      pages: number(8),
      hashedBytes: number(20),
      lastPgno: number(24),
      crc: BigInt.asUintN(64, ~this.#result.getBigUint64(0, true)),
      stopped: STOPPED[stopped] ?? 'order',
    };
  }
}
