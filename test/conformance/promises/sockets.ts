/** Sockets of this process to one port: counted where they are opened, whoever opens them. */

import net, { Socket } from 'node:net';
import { onTestFinished, vi } from 'vitest';

export interface Sockets {
  /** That were open at once, at most. */
  readonly most: number;
  readonly now: number;
}

/** From now on until the test ends. */
export function countSocketsTo(port: number | undefined): Sockets {
  const open = new Set<Socket>();
  let most = 0;
  const connect = Reflect.get(Socket.prototype, 'connect') as (...given: unknown[]) => Socket;
  const counted = function (this: Socket, ...given: unknown[]): Socket {
    if (port !== undefined && portOf(given) === port) {
      open.add(this);
      this.once('close', () => open.delete(this));
      // One that was destroyed is told to be closed in the next turn only.
      most = Math.max(most, [...open].filter(({ destroyed }) => !destroyed).length);
    }
    return connect.apply(this, given);
  };
  vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(counted);
  onTestFinished(() => void vi.restoreAllMocks());
  return {
    get most() {
      return most;
    },
    get now() {
      return open.size;
    },
  };
}

/** Node itself calls it with a list of what it was given. */
function portOf([first, ...rest]: readonly unknown[]): number | undefined {
  if (Array.isArray(first)) return portOf(first);
  const port = typeof first === 'object' && first !== null ? Reflect.get(first, 'port') : first;
  return port === undefined && rest.length === 0 ? undefined : Number(port);
}
