/** The parts of ssh2-sftp-client that we use. It has no types of its own; channel.test.ts checks these. */

declare module 'ssh2-sftp-client' {
  import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';

  interface Callbacks {
    readonly error: (error: Error) => void;
    readonly end: () => void;
    readonly close: () => void;
  }

  export default class SftpClient {
    constructor(name: string, callbacks: Callbacks);
    /** The ssh2 client that it uses: undocumented, but present since its first version. */
    readonly client: Client;
    /** Resolves with the ssh2 channel. */
    connect(config: ConnectConfig): Promise<SFTPWrapper>;
  }
}
