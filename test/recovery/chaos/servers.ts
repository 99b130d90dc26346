/** Three destinations on real servers, each behind a proxy of its own. Restores do not use the proxies. */

import { Destination, type OpenReplica } from '@sluice/core';
import { parseConfig, type ReplicaClient } from '@sluice/core/backend';
import { backend as sftp } from '@sluice/sftp';
import { azureInput, connectAzure } from '../../servers/azure-access.ts';
import { startAzurite } from '../../servers/azurite.ts';
import { startMinio } from '../../servers/minio.ts';
import { connectS3, s3Input } from '../../servers/s3-access.ts';
import { startSshd } from '../../servers/sshd.ts';
import { startToxiproxy, type ToxicProxy } from '../../servers/toxiproxy.ts';
import { logTo } from '../../support/log-to.ts';
import type { Tool } from '../../support/require.ts';

export const SERVER_TOOLS: readonly Tool[] = ['minio', 'azurite', 'sshd', 'toxiproxy'];

type Input = Readonly<Record<string, unknown>>;

/** One server, without a proxy. */
interface Server {
  readonly name: string;
  readonly port: number;
  /** Path of the replica. */
  readonly path: string;
  /** Configuration of the destination at `port` of this machine. */
  readonly input: (port: number) => Input;
  readonly connect: (access: 'read' | 'write') => Promise<ReplicaClient>;
  /** Files that were opened to write, of a server that logs them. */
  readonly countWrites?: () => number;
  readonly stop: () => Promise<void>;
}

export interface ChaosDestination {
  readonly name: string;
  readonly proxy: ToxicProxy;
  /** Configuration through the proxy. */
  readonly input: Input;
  /** Opens the replica without the proxy, by default for reading. Close the client afterwards. */
  readonly open: (
    access?: 'read' | 'write',
  ) => Promise<OpenReplica & { readonly close: () => Promise<void> }>;
  readonly countWrites: (() => number) | undefined;
}

export interface ChaosServers {
  readonly destinations: readonly ChaosDestination[];
  stop(): Promise<void>;
}

export async function startServers(): Promise<ChaosServers> {
  const [toxiproxy, ...servers] = await Promise.all([
    startToxiproxy(),
    startS3(),
    startAzure(),
    startSFTP(),
  ]);
  const destinations = await Promise.all(
    servers.map(async ({ name, port, path, input, connect, countWrites }) => {
      const proxy = await toxiproxy.proxyTo(port);
      return {
        ...{ name, proxy, countWrites },
        input: { name, path, ...input(proxy.port) },
        async open(access: 'read' | 'write' = 'read') {
          const destination = new Destination(await connect(access));
          const { capabilities } = destination;
          const close = (): Promise<void> => destination.close();
          return { client: destination.replica(path), capabilities, close };
        },
      };
    }),
  );
  return {
    destinations,
    async stop() {
      await toxiproxy.stop();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startS3(): Promise<Server> {
  const server = await startMinio();
  return {
    ...{ name: 's3', path: 'app', port: Number(new URL(server.endpoint).port) },
    input: (port) => s3Input({ ...server, endpoint: `http://127.0.0.1:${port}` }),
    connect: () => connectS3(server),
    stop: () => server.stop(),
  };
}

async function startAzure(): Promise<Server> {
  const server = await startAzurite();
  const port = Number(new URL(server.endpoint).port);
  return {
    ...{ name: 'azure', path: 'app', port },
    input: (port) =>
      azureInput({ ...server, endpoint: server.endpoint.replace(/:\d+/, `:${port}`) }),
    connect: () => connectAzure(server),
    stop: () => server.stop(),
  };
}

async function startSFTP(): Promise<Server> {
  const server = await startSshd({ as: 'own-user', extensions: 'all', log: 'requests' });
  const path = `${server.root}/app`;
  return {
    ...{ name: 'sftp', path, port: server.port },
    input: (port) => ({ ...server.input, host: `127.0.0.1:${port}` }),
    async connect(access) {
      const { config } = parseConfig(sftp, server.input);
      return await sftp.connect(config, { logger: logTo([]), access });
    },
    countWrites: () => server.openedToWrite(),
    stop: () => server.stop(),
  };
}
