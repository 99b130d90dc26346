/** Messages between the replicator and the process of a repair (repair-worker.ts). All are plain JSON. */

import type { ConfigFile } from '../drilling/order.ts';
import type { RepairFlags } from './flags.ts';

export interface RepairOrder extends RepairFlags {
  readonly config: ConfigFile;
  /** Path of the database. */
  readonly database: string;
}

/** As the command prints it. */
export interface RepairAnswer {
  /** The object of -json. */
  readonly json: object;
  readonly text: string;
  /** For a log. */
  readonly summary: string;
  readonly exit_code: number;
}

/** Files that were examined or copied. */
export interface RepairProgress {
  readonly examined: number;
  readonly copied: number;
}
