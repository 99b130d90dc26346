/** A TCP relay whose connections a test can cut, or that never responds: for the hooks `cuttable` and `silent`. */

import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Relay {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Number of open client connections. */
  readonly connections: number;
  /** Closes all connections from the server's side. New connections work as before. */
  readonly cut: () => Promise<void>;
  close(): Promise<void>;
}

export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

/** Forwards connections to `target`. Without a target, it accepts connections and never responds. */
export async function startRelay(target?: RelayTarget): Promise<Relay> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => undefined); // 'close' follows
    if (target === undefined) client.resume();
    else join(client, createConnection(target));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = async (): Promise<void> => {
    const closed = [...clients].map((client) => once(client, 'close'));
    for (const client of clients) client.destroy();
    await Promise.all(closed);
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return clients.size;
    },
    cut,
    async close() {
      const closed = once(server, 'close');
      server.close();
      await cut();
      await closed;
    },
  };
}

function join(client: Socket, upstream: Socket): void {
  upstream.on('error', () => undefined); // 'close' follows
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}
