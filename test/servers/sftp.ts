/** The common interface of all SFTP servers in the tests. */

export interface SFTPServer {
  /** A configuration without a path. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The same with wrong credentials. */
  readonly denied: Readonly<Record<string, unknown>>;
  /** An accepted private key, if the server supports keys. */
  readonly keyPath?: string;
  /** A writable folder on the server. */
  readonly root: string;
  /** Converts a path on the server to a path on this machine. */
  readonly onDisk: (path: string) => string;
  readonly port: number;
  stop(): Promise<void>;
}

export const SFTP_PASSWORD = 'sluice-test-password';
