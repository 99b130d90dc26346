/** Receives the messages of sd_notify(3), as systemd does. Node cannot open the socket, so Python does. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { needTool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** Prints each message as a line. A message may carry descriptors; systemd-notify waits until they are closed. */
const RECEIVER = `
import os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, descriptors, _, _ = socket.recv_fds(receiver, 65536, 8)
    for descriptor in descriptors:
        os.close(descriptor)
    print(data.decode().replace('\\n', ' | '), flush=True)
`;

export class ServiceManager {
  readonly socket: string;
  /** The assignments of a message are separated by " | ". */
  readonly messages: string[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(socket: string) {
    this.socket = socket;
  }

  static async listen(): Promise<ServiceManager> {
    const manager = new ServiceManager(path.join(temporaryFolder('notify'), 'socket'));
    const python = spawn(needTool('python3'), ['-c', RECEIVER, manager.socket]);
    onTestFinished(() => void python.kill('SIGKILL'));
    createInterface({ input: python.stdout }).on('line', (line) => {
      if (line !== 'BARRIER=1') manager.messages.push(line);
      for (const look of manager.#waiting) look();
    });
    await manager.received(/^bound$/);
    manager.messages.length = 0;
    return manager;
  }

  /** Resolves with the index of the first message, from `start`, that matches. */
  async received(pattern: RegExp, start = 0): Promise<number> {
    return await new Promise((resolve) => {
      const look = (): void => {
        const index = this.messages.findIndex((line, at) => at >= start && pattern.test(line));
        if (index < 0) return;
        this.#waiting.delete(look);
        resolve(index);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
