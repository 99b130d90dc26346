/** Messages between the replicator and the process of a drill (drill-worker.ts). All are plain JSON. */

import type { DrillReport } from '@sluice/core';
import type { DrillSettings } from '../config/fields/drill.ts';

/** The configuration file, which the process reads again: a message holds no credentials. */
export interface ConfigFile {
  readonly file: string;
  readonly variables: 'expand' | 'leave';
}

export interface DrillOrder {
  readonly config: ConfigFile;
  /** Path of the database, and name and target of the destination. */
  readonly database: string;
  readonly name: string;
  readonly target: string;
  readonly settings: DrillSettings;
  /** An empty folder, only for this drill. */
  readonly folder: string;
  /** Where the copy is kept for the next drill; not necessarily there. */
  readonly keptFolder: string;
}

export interface DrillAnswer {
  readonly report: DrillReport;
  /** Why the certificate could not be written. */
  readonly certificateError?: string | undefined;
}

export type DrillReply =
  | ({ readonly kind: 'done' } & DrillAnswer)
  | { readonly kind: 'warning'; readonly message: string }
  /** The drill did not take place. */
  | { readonly kind: 'failure'; readonly message: string; readonly code?: string | undefined };
