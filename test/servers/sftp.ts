/** What every SFTP server of the tests gives, whoever made it. */

export interface SFTPServer {
  /** A configuration without a path. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The same, with what the server refuses. */
  readonly denied: Readonly<Record<string, unknown>>;
  /** A private key that it knows, if it knows any. */
  readonly keyPath?: string;
  /** A folder there that may be written to. */
  readonly root: string;
  /** Where a path of the server's lies on this machine. */
  readonly onDisk: (path: string) => string;
  readonly port: number;
  stop(): Promise<void>;
}

export const SFTP_PASSWORD = 'sluice-test-password';
