/** Measures this process's traffic to one port of this machine. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { Socket } from 'node:net';

export interface Traffic {
  /** Connections since the start of the measurement. */
  readonly connections: number;
  /** Connections that are not closed yet, including those being established. */
  readonly open: number;
  /** HTTP requests; 0 for other protocols. */
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface TrafficWatch {
  /** Measures from now on, because ports are reused. */
  to(port: number): Traffic;
  stop(): void;
}

/** Watches all sockets, also those of the SSH library, which uses no HTTP agent. */
export function watchTraffic(): TrafficWatch {
  const sockets = new Map<number, Socket[]>();
  const requests = new Map<number, number>();
  const connect = Reflect.get(Socket.prototype, 'connect');
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    const port = portOf(args);
    sockets.set(port, [...(sockets.get(port) ?? []), this]);
    return Reflect.apply(connect, this, args) as Socket;
  };

  const onRequest = (message: unknown): void => {
    const { request } = message as { request: ClientRequest };
    const port = Number(new URL(`http://${String(request.getHeader('host'))}`).port);
    requests.set(port, (requests.get(port) ?? 0) + 1);
  };
  subscribe('http.client.request.created', onRequest);

  return {
    to(port) {
      const before = sockets.get(port)?.length ?? 0;
      const requestsBefore = requests.get(port) ?? 0;
      const ours = (): readonly Socket[] => sockets.get(port)?.slice(before) ?? [];
      const sum = (of: (socket: Socket) => number): number =>
        ours().reduce((total, socket) => total + of(socket), 0);
      return {
        get connections() {
          return ours().length;
        },
        get open() {
          return ours().filter((socket) => !socket.closed).length;
        },
        get requests() {
          return (requests.get(port) ?? 0) - requestsBefore;
        },
        get sentBytes() {
          return sum((socket) => socket.bytesWritten);
        },
        get receivedBytes() {
          return sum((socket) => socket.bytesRead);
        },
      };
    },
    stop() {
      Socket.prototype.connect = connect;
      unsubscribe('http.client.request.created', onRequest);
    },
  };
}

/** Port from `connect(port)`, `connect({ port })`, or node:net's internal form of either. */
function portOf([first]: readonly unknown[]): number {
  const options: unknown = Array.isArray(first) ? first[0] : first;
  const port =
    typeof options === 'object' && options !== null && 'port' in options ? options.port : options;
  return Number(port);
}
