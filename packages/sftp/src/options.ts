/** The configuration as options of `sftp()`: the keys of config.ts in camelCase, with the same meanings and defaults. */

/** Options of `sftp`. See the table of keys in the README. */
export interface SFTPOptions {
  /** host, or host:port. */
  readonly host: string;
  readonly user: string;
  /** The folder: one for each database. */
  readonly path?: string | undefined;
  readonly password?: string | undefined;
  readonly keyPath?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly agent?: string | undefined;
  readonly hostKey?: string | undefined;
  readonly knownHosts?: string | undefined;
  readonly concurrentWrites?: boolean | undefined;
}
