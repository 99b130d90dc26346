/** Adds TLS in front of a server that speaks plain HTTP. */

import { once } from 'node:events';
import fs from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createServer, type TLSSocket } from 'node:tls';
import type { Certificate } from './certificate.ts';

export interface TLSFront {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startTLSFront(
  upstreamPort: number,
  { key, cert }: Certificate,
): Promise<TLSFront> {
  const open = new Set<TLSSocket>();
  const server = createServer(
    { key: fs.readFileSync(key), cert: fs.readFileSync(cert) },
    (socket) => {
      const upstream = connect(upstreamPort, '127.0.0.1');
      open.add(socket.once('close', () => open.delete(socket)));
      void pipeline(socket, upstream, socket).catch(() => undefined); // either side may disconnect first
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
