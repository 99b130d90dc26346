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
  /** The state with this TXID, instead of the one of the settings. */
  readonly txid?: string | undefined;
  /** 'watched': somebody waits for it, so its checks may take their time. Default: 'scheduled'. */
  readonly started?: 'scheduled' | 'watched' | undefined;
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

/** Of the restore. */
export interface DrillProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}
