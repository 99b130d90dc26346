/** What we use of ssh2-sftp-client, which brings no types. channel.test.ts holds that it is so. */

declare module 'ssh2-sftp-client' {
  import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';

  interface Callbacks {
    readonly error: (error: Error) => void;
    readonly end: () => void;
    readonly close: () => void;
  }

  export default class SftpClient {
    constructor(name: string, callbacks: Callbacks);
    /** The ssh2 client below it: not documented, and there since its first version. */
    readonly client: Client;
    /** Resolves with the ssh2 channel that it has opened. */
    connect(config: ConnectConfig): Promise<SFTPWrapper>;
  }
}
