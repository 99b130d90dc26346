/** One real server of each kind, reached at its own port or at that of a proxy before it. */

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { backend as sftp } from '@sluice/sftp';
import type { Tool } from '../support/require.ts';
import { connectAzure } from './azure-access.ts';
import { startAzurite } from './azurite.ts';
import { startFakeGCS } from './fake-gcs.ts';
import { connectGCS } from './gcs-access.ts';
import { start as startGCS } from './gcs/index.ts';
import { startMinio } from './minio.ts';
import { connectS3 } from './s3-access.ts';
import { startSshd } from './sshd.ts';
import { parseConfig } from '@sluice/core/backend';

type Access = 'read' | 'write';

export interface ProxiedServer {
  /** Where it listens itself. */
  readonly port: number;
  connect(port: number, access: Access): Promise<ReplicaClient>;
  /** Of replicas. */
  readonly root: string;
  stop(): Promise<void>;
}

export interface ProxiedKind {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** Where bodies begin to go in parts; of sftp, whose bodies never do, a size like the others'. */
  readonly partSizeBytes: number;
  /** Of HTTP that a try may take, its cleaning up included. */
  requestsMax(call: string): number;
  /** How often a try may send its body, one part of which may come again by itself. */
  bodiesMax(call: string): number;
  /** Of some calls a server would not tell the truth. */
  isWitnessOf(call: string): boolean;
  start(): Promise<ProxiedServer>;
}

const MiB = 1024 * 1024;
/** A call that takes two parts and a bit. */
export const IN_PARTS = 'write in parts';
export const IN_PARTS_COUNT = 2.25;
/** Each part is tried so often by itself, before all of it is (ATTEMPTS_MAX). */
const PART_TRIES = 5;

export const PROXIED: readonly ProxiedKind[] = [
  {
    name: 's3, MinIO',
    tools: ['minio'],
    partSizeBytes: 5 * MiB,
    // Begin, three parts, and complete or abort.
    requestsMax: (call) => (call === IN_PARTS ? 1 + 3 * PART_TRIES + 1 : 1),
    bodiesMax: (call) => (call === IN_PARTS ? PART_TRIES : 1),
    isWitnessOf: () => true,
    start: startS3,
  },
  {
    name: 'gcs, fake-gcs-server',
    tools: ['fake-gcs-server'],
    partSizeBytes: MiB,
    requestsMax: () => 1,
    bodiesMax: () => 1,
    // It ends an upload, as short as it is, when it is asked how far it has come.
    isWitnessOf: (call) => call !== IN_PARTS,
    start: async () => {
      const server = await startFakeGCS();
      return proxiedGCS(server, () => server.stop());
    },
  },
  {
    name: 'gcs, our server',
    tools: [],
    partSizeBytes: MiB,
    // Begin, a part five times and the question four times how far it has come, and the end.
    requestsMax: () => 11,
    bodiesMax: () => 1 + 4 / IN_PARTS_COUNT,
    isWitnessOf: (call) => call === IN_PARTS,
    start: async () => {
      const server = await startGCS();
      return proxiedGCS(server, () => server.stop());
    },
  },
  {
    name: 'azure, Azurite',
    tools: ['azurite'],
    partSizeBytes: MiB,
    // Three blocks and their list.
    requestsMax: (call) => (call === IN_PARTS ? 3 * PART_TRIES + 1 : 1),
    bodiesMax: (call) => (call === IN_PARTS ? PART_TRIES : 1),
    isWitnessOf: () => true,
    start: startAzure,
  },
  {
    name: 'sftp, OpenSSH',
    tools: ['sshd'],
    partSizeBytes: MiB,
    requestsMax: () => 0,
    bodiesMax: () => 1,
    isWitnessOf: () => true,
    start: startSFTP,
  },
];

async function startS3(): Promise<ProxiedServer> {
  const server = await startMinio();
  const input = { 'part-size': 5 * MiB };
  return {
    port: portOf(server.endpoint),
    connect: (port, access) =>
      connectS3({ ...server, endpoint: at(server.endpoint, port) }, input, { access }),
    root: 'r',
    stop: () => server.stop(),
  };
}

function proxiedGCS(
  server: { readonly endpoint: string; readonly bucket: string },
  stop: () => Promise<void>,
): ProxiedServer {
  const input = { 'part-size': MiB };
  return {
    port: portOf(server.endpoint),
    connect: (port, access) =>
      connectGCS({ ...server, endpoint: at(server.endpoint, port) }, input, { access }),
    root: 'r',
    stop,
  };
}

async function startAzure(): Promise<ProxiedServer> {
  const server = await startAzurite();
  const input = { 'part-size': MiB };
  return {
    port: portOf(server.endpoint),
    connect: (port, access) =>
      connectAzure({ ...server, endpoint: at(server.endpoint, port) }, input, { access }),
    root: 'r',
    stop: () => server.stop(),
  };
}

async function startSFTP(): Promise<ProxiedServer> {
  const server = await startSshd({ as: 'unprivileged', extensions: 'all' });
  return {
    port: server.port,
    async connect(port, access) {
      const { config } = parseConfig(sftp, { ...server.input, host: `127.0.0.1:${port}` });
      return await sftp.connect(config, { access, logger: SILENT });
    },
    root: server.root,
    stop: () => server.stop(),
  };
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function portOf(endpoint: string): number {
  return Number(new URL(endpoint).port);
}

function at(endpoint: string, port: number): string {
  return endpoint.replace(/:\d+/, `:${port}`);
}
