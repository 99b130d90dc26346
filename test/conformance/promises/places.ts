/** A destination of each of the five kinds, whose calls are counted as steps (steps.ts). */

import fs from 'node:fs';
import path from 'node:path';
import { TEMP_SUFFIX } from '@sluice/core/backend/folder';
import { backend as azure } from '@sluice/azure';
import { type Backend, type Logger, parseConfig, type ReplicaClient } from '@sluice/core/backend';
import { backend as file } from '@sluice/file';
import { backend as gcs } from '@sluice/gcs';
import { backend as s3 } from '@sluice/s3';
import { backend as sftp } from '@sluice/sftp';
import { onTestFinished, vi } from 'vitest';
import { startFakeServer } from '../../../packages/sftp/test/fake-server.ts';
import { PASSWORD } from '../../../packages/sftp/test/fixtures.ts';
import { startAzurite } from '../../servers/azurite.ts';
import { start as startGCS } from '../../servers/gcs/index.ts';
import { s3Input } from '../../servers/s3-access.ts';
import { start as startS3 } from '../../servers/s3/index.ts';
import type { Tool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { watchFolder } from './file-steps.ts';
import { startStepProxy } from './step-proxy.ts';
import { Steps } from './steps.ts';

type Input = Readonly<Record<string, unknown>>;

export interface Place {
  /** Connects with steps. */
  connect(): Promise<ReplicaClient>;
  /** Connects without steps. */
  connectDirectly(): Promise<ReplicaClient>;
  /** Input as in `sluice.yml`, without the path: not recorded, and with recorded requests. */
  readonly input: { readonly direct: Input; readonly recorded: Input };
  /** Starts recording writes of this process and its child processes. */
  recordChanges(): void;
  changes(): readonly string[];
  /** Path on this machine, if the destination is on it. */
  readonly onDisk?: (path: string) => string;
  pathOf(name: string): string;
  readonly steps: Steps;
  /** Unfinished uploads and temporary files. */
  leftovers(): readonly string[];
  /** Port of the server, if there is one. */
  readonly port: number | undefined;
}

export interface Kind {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** Files larger than this are sent in several requests. */
  readonly partBytes: number | 'never';
  /** Maximum number of sockets of one destination, whatever the number of replicas. */
  readonly socketsMax: number;
  /** Opens a destination that is closed when the test ends. */
  open(): Promise<Place>;
}

const MiB = 1024 * 1024;

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function connectorOf(backend: Backend<unknown>, input: Input): () => Promise<ReplicaClient> {
  return async () => {
    // The replica has its own path, but the schema of `file` requires one.
    const { config } = parseConfig(backend, { path: '/replicas', ...input });
    const destination = await backend.connect(config, { logger: SILENT, access: 'write' });
    onTestFinished(() => destination.close());
    return destination;
  };
}

/** A destination at an HTTP server, behind a step proxy. */
async function placeOfHTTP(
  backend: Backend<unknown>,
  inputAt: (endpoint: string) => Input,
  endpoint: string,
  leftovers: () => readonly string[],
): Promise<Place> {
  const proxy = await startStepProxy(endpoint);
  onTestFinished(() => proxy.stop());
  let recordedFrom = 0;
  const direct = inputAt(endpoint);
  const recorded = inputAt(endpoint.replace(new URL(endpoint).origin, proxy.origin));
  return {
    connect: connectorOf(backend, recorded),
    connectDirectly: connectorOf(backend, direct),
    input: { direct, recorded },
    recordChanges: () => void (recordedFrom = proxy.requests.length),
    changes: () =>
      proxy.requests.slice(recordedFrom).filter((request) => !/^(GET|HEAD) /.test(request)),
    pathOf: (name) => name,
    steps: proxy.steps,
    leftovers,
    port: proxy.port,
  };
}

export const KINDS: readonly Kind[] = [
  {
    name: 's3',
    tools: [],
    partBytes: 5 * MiB,
    socketsMax: 16,
    async open() {
      const server = await startS3();
      onTestFinished(() => server.stop());
      const inputAt = (endpoint: string): Input =>
        s3Input({ ...server, endpoint }, { 'part-size': 5 * MiB });
      return await placeOfHTTP(s3, inputAt, server.endpoint, () =>
        server.raw.uploads().map(({ key }) => key),
      );
    },
  },
  {
    name: 'gcs',
    tools: [],
    partBytes: MiB / 4,
    socketsMax: 16,
    async open() {
      const server = await startGCS();
      onTestFinished(() => server.stop());
      const { bucket } = server;
      const inputAt = (endpoint: string): Input => {
        return { type: 'gs', bucket, endpoint, 'part-size': MiB / 4 };
      };
      // Google removes unfinished upload sessions within a week.
      return await placeOfHTTP(gcs, inputAt, server.endpoint, () => []);
    },
  },
  {
    name: 'azure',
    tools: ['azurite'],
    partBytes: MiB,
    socketsMax: 16,
    async open() {
      const server = await startAzurite();
      onTestFinished(() => server.stop());
      const { endpoint, container, account, accountKey } = server;
      const inputAt = (at: string): Input => {
        const names = { 'account-name': account, 'account-key': accountKey };
        return { type: 'abs', bucket: container, endpoint: at, 'part-size': MiB, ...names };
      };
      // The service removes uncommitted blocks.
      return await placeOfHTTP(azure, inputAt, endpoint, () => []);
    },
  },
  { name: 'sftp', tools: [], partBytes: 'never', socketsMax: 1, open: openSFTP },
  { name: 'file', tools: [], partBytes: 'never', socketsMax: 0, open: openFolder },
];

const READING_SFTP = ['OPEN', 'READ', 'CLOSE', 'FSTAT', 'STAT', 'LSTAT', 'OPENDIR', 'READDIR'];

/** Two servers for one folder, to distinguish recorded requests from direct ones. */
async function openSFTP(): Promise<Place> {
  const server = await startFakeServer();
  const other = Object.assign(await startFakeServer(), { folder: server.folder });
  const steps = new Steps();
  server.intercept = () => {
    const step = steps.next();
    if (step?.moment === 'before') step.act();
    // The step is done and answered in this turn of the event loop; the response has not arrived yet.
    if (step?.moment === 'after') queueMicrotask(step.act);
    return step?.moment === 'lost' ? 'lost-after' : undefined;
  };
  const inputOf = ({ port, hostKey }: typeof server): Input => {
    const at = { type: 'sftp', host: `127.0.0.1:${port}`, user: 'backup' };
    return { ...at, password: PASSWORD, 'host-key': hostKey };
  };
  const input = { direct: inputOf(other), recorded: inputOf(server) };
  const backend = sftp;
  return {
    connect: connectorOf(backend, input.recorded),
    connectDirectly: connectorOf(backend, input.direct),
    input,
    // Only the recorded readers use this server.
    recordChanges: () => {
      server.requests.length = 0;
      server.modes.length = 0;
    },
    onDisk: (at) => path.join(server.folder, at),
    changes: () => [
      ...server.requests
        .filter(({ kind }) => !READING_SFTP.includes(kind))
        .map(({ kind, path: at }) => `${kind} ${at}`),
      ...server.modes.map((mode) => `a new file of mode ${mode}`), // created by an OPEN
    ],
    pathOf: (name) => `/backups/${name}`,
    steps,
    leftovers: () => temporaryFilesIn(server.folder),
    port: server.port,
  };
}

const NOTE_CHANGES = new URL('note-changes.mjs', import.meta.url).href;

async function openFolder(): Promise<Place> {
  const folder = temporaryFolder('promises');
  const notes = path.join(temporaryFolder('notes'), 'changes');
  const connect = connectorOf(file, {});
  return {
    connect,
    connectDirectly: connect,
    input: { direct: { type: 'file' }, recorded: { type: 'file' } },
    recordChanges() {
      vi.stubEnv('SLUICE_TEST_FOLDER', folder);
      vi.stubEnv('SLUICE_TEST_NOTES', notes);
      vi.stubEnv('NODE_OPTIONS', `--import=${NOTE_CHANGES}`);
      onTestFinished(() => void vi.unstubAllEnvs());
    },
    onDisk: (at) => at,
    changes: () => (fs.existsSync(notes) ? fs.readFileSync(notes, 'utf8').split('\n') : []),
    pathOf: (name) => path.join(folder, name),
    steps: await watchFolder(folder),
    leftovers: () => temporaryFilesIn(folder),
    port: undefined,
  };
}

function temporaryFilesIn(folder: string): string[] {
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith(TEMP_SUFFIX));
}
