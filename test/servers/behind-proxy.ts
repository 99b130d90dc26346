/** One real server of each kind, connected directly or through a proxy. */

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
  /** The server's own port. */
  readonly port: number;
  connect(port: number, access: Access): Promise<ReplicaClient>;
  /** Root of the replicas. */
  readonly root: string;
  stop(): Promise<void>;
}

export interface ProxiedKind {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** Size above which files are sent in parts. For sftp, which has no parts, a similar size. */
  readonly partSizeBytes: number;
  /** Maximum HTTP requests per attempt, including cleanup. */
  requestsMax(call: string): number;
  /** Maximum times that an attempt sends its body, including resent parts. */
  bodiesMax(call: string): number;
  /** False for calls that this server implements incorrectly. */
  isWitnessOf(call: string): boolean;
  start(): Promise<ProxiedServer>;
}

const MiB = 1024 * 1024;
/** A write of slightly more than two parts. */
export const IN_PARTS = 'write in parts';
export const IN_PARTS_COUNT = 2.25;
/** Attempts for each part before the whole write is retried (ATTEMPTS_MAX). */
const PART_TRIES = 5;

export const PROXIED: readonly ProxiedKind[] = [
  {
    name: 's3, MinIO',
    tools: ['minio'],
    partSizeBytes: 5 * MiB,
    // Create, three parts, and complete or abort.
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
    // It completes an unfinished upload when its state is queried.
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
    // Create, a part five times, the state query four times, and the end.
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
    // Three blocks and the block list.
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
