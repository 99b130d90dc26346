/** What an application is told while its databases are replicated. */

import type { DatabaseState, StatusError } from '../replicate/status/status.ts';
import type { DestinationState } from '../replicate/destination/admission.ts';

/** Something is wrong. Sluice keeps trying, unless the message says that it does not. */
export interface SluiceNotice {
  readonly message: string;
  /** An `ErrorCode`, if there is one. */
  readonly code?: string | undefined;
  /** Path of the database that it is about. */
  readonly database?: string | undefined;
}

/** An event of `sluice.events()`. None contains anything from the rows of the application. */
export type SluiceEvent =
  /** A missing database was restored, before `openSluice` resolved. The first reader gets it all the same. */
  | {
      readonly kind: 'restored';
      readonly database: string;
      /** 16 hex digits. */
      readonly txid: string;
      /** Names of the destinations that it was read from. */
      readonly from: readonly string[];
    }
  /** The state or the health of a database has changed. */
  | {
      readonly kind: 'database';
      readonly database: string;
      readonly state: DatabaseState;
      readonly healthy: boolean;
    }
  /** The state of a destination has changed. */
  | {
      readonly kind: 'destination';
      readonly database: string;
      readonly destination: string;
      readonly state: DestinationState;
      /** While it is failing. */
      readonly error?: Pick<StatusError, 'code' | 'message'> | undefined;
    }
  /** Everything up to this TXID can be restored from a destination. At most about once a second for each. */
  | {
      readonly kind: 'replicated';
      readonly database: string;
      readonly destination: string;
      readonly txid: string;
    }
  /** The process that replicates has ended unexpectedly, and starts again. */
  | { readonly kind: 'restarted'; readonly reason: string }
  | ({ readonly kind: 'warning' } & SluiceNotice)
  | ({ readonly kind: 'error' } & SluiceNotice)
  /** The reader was too slow: this many events before the next one are lost. */
  | { readonly kind: 'missed'; readonly count: number };
