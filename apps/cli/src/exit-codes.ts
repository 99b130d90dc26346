/** All exit codes. docs/errors.md explains them; a test keeps both in sync. */

export const EXIT_CODES = {
  /** Success. When replication was stopped: every destination has everything. */
  ok: 0,
  /** All failures without a code of their own. */
  failed: 1,
  /** The command, a flag or the configuration is invalid; nothing was done. */
  usage: 2,
  /**
   * `replicate` was stopped, or `status` ran, and at least one destination does not have
   * everything.
   */
  behind: 3,
  /** There is no backup. */
  noBackup: 4,
  /** Necessary files are missing or damaged. */
  damaged: 5,
  /** Access was denied, or the credentials are wrong. */
  denied: 6,
  /** The destination cannot be reached, or its bucket or folder does not exist. */
  unreachable: 7,
  /** The target exists, and -force was not given. */
  targetExists: 8,
  /** The database cannot be replicated, or the restored one failed its integrity check. */
  database: 9,
  /** There is a backup, but not of the requested time or TXID. */
  outOfRange: 10,
  /** The destinations hold different histories: choose one with -replica. */
  ambiguous: 11,
  /** A drill found a destination that cannot be restored as it should. */
  drillFailed: 12,
  /** A drill could not examine every destination, and found nothing wrong at the others. */
  drillInconclusive: 13,
  /** A destination belongs to another replicator, so nothing was written there. */
  fenced: 14,
  /** A command for a running replicator found none. */
  notRunning: 15,
  /** `repair` found something that is not mended. */
  notMended: 16,
} as const;

export type ExitName = keyof typeof EXIT_CODES;
