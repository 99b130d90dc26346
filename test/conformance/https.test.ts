/** Connections to a bucket over TLS, with a known or unknown authority, and through an HTTP proxy. */

import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';

import { isError, readBytes, type ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { httpAgent } from '@sluice/core/backend/http';
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import { connectAzure } from '../servers/azure-access.ts';
import { startAzurite, type Azurite } from '../servers/azurite.ts';
import { makeCertificate, type Certificate } from '../servers/certificate.ts';
import { startForwardProxy, type ForwardProxy } from '../servers/forward-proxy.ts';
import { connectGCS } from '../servers/gcs-access.ts';
import { serviceAccount } from '../servers/gcs/access.ts';
import { start as startGCS } from '../servers/gcs/index.ts';
import { connectS3 } from '../servers/s3-access.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { start as startS3 } from '../servers/s3/index.ts';
import { startTLSFront, type TLSFront } from '../servers/tls-front.ts';
import { describeWith, type Tool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bodyOf, pattern, ref } from './context.ts';

type Input = Record<string, unknown>;

/** A server that speaks plain HTTP. */
interface Server {
  readonly port: number;
  /** Connects to the server at `origin` ("https://name:port"). */
  connect(origin: string, more?: Input): Promise<ReplicaClient>;
  stop(): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** A host name that is not a name of this machine. */
  readonly host: string;
  start(): Promise<Server>;
}

const KINDS: readonly Kind[] = [
  { name: 's3', tools: [], host: 'store.example.test', start: ofS3 },
  { name: 'gcs', tools: [], host: 'store.example.test', start: ofGCS },
  // Azurite takes the first part of a host name as the account.
  { name: 'azure', tools: ['azurite'], host: 'sluicetest.example.test', start: ofAzure },
];

async function ofS3(): Promise<Server> {
  const server = await startS3();
  return {
    port: server.port,
    connect: (endpoint, more) => connectS3({ ...server, endpoint }, more),
    stop: () => server.stop(),
  };
}

async function ofGCS(): Promise<Server> {
  const { credentials } = serviceAccount('backup', ['roles/storage.objectUser']);
  const server = await startGCS();
  return {
    port: Number(new URL(server.endpoint).port),
    connect(endpoint, more) {
      // Tokens are never sent over plain HTTP.
      const known = endpoint.startsWith('https:') ? { credentials } : {};
      return connectGCS({ ...server, endpoint }, { ...known, ...more });
    },
    stop: () => server.stop(),
  };
}

async function ofAzure(): Promise<Server> {
  const server: Azurite = await startAzurite();
  const { port, pathname } = new URL(server.endpoint);
  return {
    port: Number(port),
    connect: (origin, more) => {
      const endpoint = origin.includes('127.0.0.1') ? `${origin}${pathname}` : origin;
      return connectAzure({ ...server, endpoint }, more);
    },
    stop: () => server.stop(),
  };
}

const FILE = ref(0, 1);
const BYTES = Buffer.from(pattern(5_000, 1));

for (const kind of KINDS) {
  const { name, tools, host } = kind;
  describeWith(tools, name, () => {
    let server: Server;
    let front: TLSFront;
    let certificate: Certificate;
    let proxy: ForwardProxy;
    let paths = 0;
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-https-'));

    beforeAll(async () => {
      certificate = await makeCertificate(folder, host);
      server = await kind.start();
      front = await startTLSFront(server.port, certificate);
    });
    afterAll(async () => {
      await Promise.all([server.stop(), front.stop()]);
      fs.rmSync(folder, { recursive: true, force: true });
    });
    beforeEach(async () => {
      proxy = await startForwardProxy();
      onTestFinished(async () => {
        vi.unstubAllEnvs();
        await proxy.stop();
      });
    });

    const connected: Server['connect'] = async (origin, more) => {
      const destination = await server.connect(origin, more);
      onTestFinished(() => destination.close());
      return destination;
    };
    /** Expects a file to be written and read back. */
    const expectRoundTrip = async (destination: ReplicaClient): Promise<void> => {
      const replica = new Replica(destination, `replica-${(paths += 1)}`);
      await replica.writeFile(FILE, bodyOf(BYTES));
      const { body } = await replica.openFile(FILE);
      expect(await readBytes(body, BYTES.byteLength)).toEqual(BYTES);
    };
    const refusal = async (destination: ReplicaClient): Promise<Error> =>
      await rejectionOf(new Replica(destination, 'refused').writeFile(FILE, bodyOf(BYTES)));

    test('a certificate of an unknown authority is refused, and the error names the next step', async () => {
      const error = await refusal(await connected(`https://127.0.0.1:${front.port}`));
      expect(isError(error, 'REPLICA_HOST_UNTRUSTED'), String(error)).toBe(true);
      expect(error.message).toContain('NODE_EXTRA_CA_CERTS');
    });

    test('a server that speaks plain HTTP at an https endpoint is named in the error', async () => {
      const error = await refusal(await connected(`https://127.0.0.1:${server.port}`));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
      expect(error.message).toMatch(/TLS: wrong version number; .*write http:\/\/ in endpoint/);
      expect(error.message).not.toContain('\n');
    });

    test('a server that expects TLS at an http endpoint fails as retryable', async () => {
      const error = await refusal(await connected(`http://127.0.0.1:${front.port}`));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
    });

    describe('with a known authority', () => {
      beforeEach(() => {
        const before = tls.getCACertificates('default');
        tls.setDefaultCACertificates([...before, fs.readFileSync(certificate.cert, 'utf8')]);
        onTestFinished(() => tls.setDefaultCACertificates(before));
      });

      test('a certificate for another name is refused, without the advice to add an authority', async () => {
        const error = await refusal(await connected(`https://localhost:${front.port}`));
        expect(isError(error, 'REPLICA_HOST_UNTRUSTED'), String(error)).toBe(true);
        expect(error.message).toContain('its certificate is for another name');
        expect(error.message).not.toContain('NODE_EXTRA_CA_CERTS');
      });

      test('files are sent over TLS', async () => {
        await expectRoundTrip(await connected(`https://127.0.0.1:${front.port}`));
      });

      test.each([
        ['HTTPS_PROXY', (url: string) => url],
        ['HTTPS_PROXY without a scheme', (url: string) => url.replace('http://', '')],
      ])('files go through a tunnel of the proxy in %s', async (_, spelled) => {
        vi.stubEnv('HTTPS_PROXY', spelled(proxy.url));
        await expectRoundTrip(await connected(`https://${host}:${front.port}`));
        // One socket that is kept open.
        expect(proxy.seen).toEqual([`CONNECT ${host}:${front.port}`]);
      });

      test('requests to this machine bypass the proxy', async () => {
        vi.stubEnv('HTTPS_PROXY', proxy.url);
        await expectRoundTrip(await connected(`https://127.0.0.1:${front.port}`));
        expect(proxy.seen).toEqual([]);
      });
    });

    test('files go through the proxy in HTTP_PROXY', async () => {
      vi.stubEnv('HTTP_PROXY', proxy.url);
      await expectRoundTrip(await connected(`http://${host}:${server.port}`));
      expect(proxy.seen.length).toBeGreaterThanOrEqual(2);
      for (const request of proxy.seen)
        expect(request).toContain(` http://${host}:${server.port}/`);
    });

    test('a host in NO_PROXY bypasses the proxy', async () => {
      vi.stubEnv('HTTP_PROXY', proxy.url);
      vi.stubEnv('NO_PROXY', `other.test,${host}`);
      const error = await refusal(await connected(`http://${host}:${server.port}`));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
      expect(error.message).toContain(host); // the host has no address
      expect(proxy.seen).toEqual([]);
    });

    test('a proxy that refuses is named in the error', async () => {
      vi.stubEnv('HTTPS_PROXY', proxy.url);
      proxy.refuse();
      const error = await refusal(await connected(`https://${host}:${front.port}`));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
      expect(error.message).toContain(proxy.url);
    });

    test('a subdomain of a host in NO_PROXY bypasses the proxy', async () => {
      vi.stubEnv('HTTP_PROXY', proxy.url);
      vi.stubEnv('NO_PROXY', 'example.test');
      await refusal(await connected(`http://${host}:${server.port}`));
      expect(proxy.seen).toEqual([]);
    });

    test.each(['http://', 'socks5://127.0.0.1:1080'])('%s is refused as a proxy', async (named) => {
      vi.stubEnv('HTTPS_PROXY', named);
      const error = await rejectionOf(connected(`https://${host}:${front.port}`));
      expect(isError(error, 'CONFIG_INVALID'), String(error)).toBe(true);
      expect(error.message).toContain('HTTPS_PROXY');
    });
  });
}

test('skip-verify accepts any certificate', async () => {
  const server = await ofS3();
  const front = await startTLSFront(server.port, await makeCertificate(temporaryFolder('https')));
  onTestFinished(async () => {
    await Promise.all([server.stop(), front.stop()]);
  });
  const destination = await server.connect(`https://127.0.0.1:${front.port}`, {
    'skip-verify': true,
  });
  onTestFinished(() => destination.close());
  await new Replica(destination, 'db').writeFile(FILE, bodyOf(BYTES));
  const { body } = await new Replica(destination, 'db').openFile(FILE);
  expect(await readBytes(body, BYTES.byteLength)).toEqual(BYTES);
});

test('a silent server behind a tunnel times out', async () => {
  const silent = net.createServer((socket) => void socket.on('error', () => undefined).resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const certificate = await makeCertificate(temporaryFolder('https'), 'store.example.test');
  const front = await startTLSFront((silent.address() as net.AddressInfo).port, certificate);
  const proxy = await startForwardProxy();
  vi.stubEnv('HTTPS_PROXY', proxy.url);
  const agent = httpAgent('https:', { skipVerify: true, silenceMs: 100 });
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    agent.destroy();
    await Promise.all([front.stop(), proxy.stop()]);
    silent.close();
  });
  const request = https.get(`https://store.example.test:${front.port}/`, { agent });
  const [error] = (await once(request, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ETIMEDOUT');
  expect(proxy.seen).toHaveLength(1);
});
