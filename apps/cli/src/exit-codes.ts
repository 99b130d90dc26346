/** How the process ends: one table. docs/errors.md says it to people; a test holds both together. */

export const EXIT_CODES = {
  /** Done. Where replication was stopped: every destination has everything. */
  ok: 0,
  /** Anything that has no number of its own. */
  failed: 1,
  /** The command, a flag or the configuration is wrong: nothing was done. */
  usage: 2,
  /** Stopped, or asked for its status, and at least one destination does not have everything. */
  behind: 3,
  /** There is no backup there. */
  noBackup: 4,
  /** Files that are needed are missing or damaged. */
  damaged: 5,
  /** Access was denied, or the credentials are wrong. */
  denied: 6,
  /** The destination cannot be reached, or its bucket or folder is not there. */
  unreachable: 7,
  /** The target exists, and -force was not given. */
  targetExists: 8,
  /** The database cannot be followed, or the restored one failed its integrity check. */
  database: 9,
  /** There is a backup, but none of the moment or the TXID that was asked for. */
  outOfRange: 10,
  /** The destinations hold different histories: -replica has to say which is meant. */
  ambiguous: 11,
} as const;

export type ExitName = keyof typeof EXIT_CODES;
