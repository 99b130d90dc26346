/** What crosses between the main thread and a thread that watches databases. */

import type { BeginOrder } from '../database/engine.ts';
import type { EngineEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';

export interface WatchOrder {
  readonly options: DatabaseOptions;
  /** Staged files up to this TXID are at every destination. */
  readonly sentEverywhere: bigint;
  /** Of its gauges (database/gauges.ts). */
  readonly memory: SharedArrayBuffer;
}

/** `database`: the number that the pool gave it. */
interface OfDatabase {
  readonly database: number;
}

interface Call<Request, Answer = void> {
  readonly request: OfDatabase & Request;
  readonly answer: Answer;
}

export interface WatchService {
  readonly watch: Call<{ readonly order: WatchOrder }>;
  readonly begin: Call<{ readonly order: BeginOrder }>;
  readonly image: Call<{ readonly floor: bigint; readonly why: string }>;
  readonly snapshot: Call<object>;
  readonly reopen: Call<{ readonly message: string }>;
  readonly sync: Call<object, bigint | undefined>;
  readonly close: Call<object>;
}

export interface WatchEvent extends OfDatabase {
  readonly event: EngineEvent;
}
