/** What crosses between a restore and its threads. */

import type { LTXHeader } from '../ltx/header.ts';
import type { ErrorCode } from '../error.ts';

export interface Setting {
  readonly descriptor: number;
  readonly pageSize: number;
  /** Database size in pages at the end. */
  readonly commit: number;
  readonly claims: SharedArrayBuffer;
}

export type Work =
  | { readonly kind: 'set'; readonly setting: Setting }
  | {
      readonly kind: 'whole';
      readonly files: readonly { readonly bytes: Uint8Array; readonly name: string }[];
    }
  | { readonly kind: 'range'; readonly bytes: Uint8Array };

export interface WholeFile {
  readonly header: LTXHeader;
  readonly pageCount: number;
}

export type Done =
  | { readonly kind: 'whole'; readonly files: readonly WholeFile[] }
  | {
      readonly kind: 'range';
      readonly crc: bigint;
      readonly hashedBytes: number;
      readonly firstPgno: number;
      readonly lastPgno: number;
      readonly pageCount: number;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string };
