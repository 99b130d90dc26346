/** What crosses between the main thread and a worker that watches databases. */

import type { EngineEvent, FollowStats } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import type { BeginOrder } from '../database/engine.ts';
import type { ErrorCode } from '../error.ts';

export interface WatchOrder {
  readonly options: DatabaseOptions;
  /** Staged files up to this TXID are at every destination. */
  readonly sentEverywhere: bigint;
  /** Of its gauges (database/gauges.ts). */
  readonly memory: SharedArrayBuffer;
}

/** To a worker. `database` tells which; `call` is answered by a reply of the same number. */
export type WorkerOrder =
  | ({ readonly kind: 'watch'; readonly database: number } & WatchOrder)
  | { readonly kind: 'begin'; readonly database: number; readonly order: BeginOrder }
  | {
      readonly kind: 'image';
      readonly database: number;
      readonly floor: bigint;
      readonly why: string;
    }
  | { readonly kind: 'snapshot'; readonly database: number }
  | { readonly kind: 'reopen'; readonly database: number; readonly message: string }
  | { readonly kind: 'sync'; readonly database: number; readonly call: number }
  | { readonly kind: 'stats'; readonly database: number; readonly call: number }
  | { readonly kind: 'close'; readonly database: number; readonly call: number };

export type WorkerReply =
  | { readonly kind: 'event'; readonly database: number; readonly event: EngineEvent }
  | { readonly kind: 'reply'; readonly call: number; readonly result: WorkerResult }
  | {
      readonly kind: 'refused';
      readonly call: number;
      readonly code: ErrorCode | undefined;
      readonly message: string;
    };

export interface WorkerResult {
  readonly txid?: bigint | undefined;
  readonly stats?: FollowStats | undefined;
}
