/** Counts the sockets of this process to one port. */

import net, { Socket } from 'node:net';
import { onTestFinished, vi } from 'vitest';

export interface Sockets {
  /** Maximum number of sockets that were open at once. */
  readonly most: number;
  readonly now: number;
}

/** Counts until the test ends. */
export function countSocketsTo(port: number | undefined): Sockets {
  const open = new Set<Socket>();
  let most = 0;
  const connect = Reflect.get(Socket.prototype, 'connect') as (...given: unknown[]) => Socket;
  const counted = function (this: Socket, ...given: unknown[]): Socket {
    if (port !== undefined && portOf(given) === port) {
      open.add(this);
      this.once('close', () => open.delete(this));
      // A destroyed socket emits `close` only in the next turn of the event loop.
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

/** Node itself calls `connect` with an array of arguments. */
function portOf([first, ...rest]: readonly unknown[]): number | undefined {
  if (Array.isArray(first)) return portOf(first);
  const port = typeof first === 'object' && first !== null ? Reflect.get(first, 'port') : first;
  return port === undefined && rest.length === 0 ? undefined : Number(port);
}
