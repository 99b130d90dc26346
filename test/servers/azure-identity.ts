/**
 * A TLS endpoint of Azurite that accepts only tokens of our own identity service, as Azure does for a
 * managed identity.
 */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import {
  createServer,
  request as send,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { accountToken } from './azure-access.ts';
import type { Azurite } from './azurite.ts';
import { makeCertificate } from './certificate.ts';

export interface IdentityPlace {
  /** "https://127.0.0.1:port/account" */
  readonly endpoint: string;
  /** Environment variables of a process with this identity. */
  readonly environment: Readonly<Record<string, string>>;
  /** Number of issued tokens. */
  readonly tokens: number;
  stop(): Promise<void>;
}

/** Creates a certificate in `folder` that only this test trusts. */
export async function startIdentity(server: Azurite, folder: string): Promise<IdentityPlace> {
  const [header, token] = [randomUUID(), randomUUID()];
  let tokens = 0;
  const identity = createServer((from, to) => {
    const url = new URL(from.url ?? '', 'http://identity');
    const isAsked = url.searchParams.get('resource') === 'https://storage.azure.com';
    if (!isAsked || from.headers['x-identity-header'] !== header) {
      to.writeHead(400).end();
      return;
    }
    tokens += 1;
    const expiresOn = Math.floor(Date.now() / 1_000) + 3_600;
    to.writeHead(200, { 'content-type': 'application/json' });
    to.end(JSON.stringify({ access_token: token, expires_on: expiresOn, token_type: 'Bearer' }));
  });

  const sas = accountToken(server);
  const upstream = new URL(server.endpoint);
  const answer = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const { authorization, 'x-ms-copy-source-authorization': ofSource, ...headers } = from.headers;
    const source = headers['x-ms-copy-source'];
    const isKnown = authorization === `Bearer ${token}`;
    if (!isKnown || (source !== undefined && ofSource !== `Bearer ${token}`)) {
      to.writeHead(401, { 'x-ms-error-code': 'NoAuthenticationInformation' }).end();
      return;
    }
    // Azurite accepts an account token, which replaces the identity's token.
    if (typeof source === 'string') {
      headers['x-ms-copy-source'] =
        `${server.endpoint}${new URL(source).pathname.slice(upstream.pathname.length)}?${sas}`;
    }
    const at = from.url?.includes('?') === true ? `${from.url}&${sas}` : `${from.url}?${sas}`;
    const { hostname: host, port } = upstream;
    const forwarded = send({ host, port, path: at, method: from.method, headers });
    await pipeline(from, forwarded);
    const [got] = (await once(forwarded, 'response')) as [IncomingMessage];
    to.writeHead(got.statusCode ?? 0, got.headers);
    await pipeline(got, to);
  };
  const { key, cert } = await makeCertificate(folder);
  const tls = createTLSServer(
    { key: fs.readFileSync(key), cert: fs.readFileSync(cert) },
    (from, to) => void answer(from, to).catch(() => to.destroy()),
  );
  const [identityPort, port] = [await listen(identity), await listen(tls)];
  return {
    endpoint: `https://127.0.0.1:${port}${upstream.pathname}`,
    environment: {
      IDENTITY_ENDPOINT: `http://127.0.0.1:${identityPort}/msi/token`,
      IDENTITY_HEADER: header,
      NODE_EXTRA_CA_CERTS: cert,
    },
    get tokens() {
      return tokens;
    },
    async stop() {
      for (const each of [identity, tls]) {
        each.close();
        each.closeAllConnections();
        await once(each, 'close');
      }
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
