/** A place of each of the five kinds, each call of which goes through steps (steps.ts). */

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
  /** Through the steps. */
  connect(): Promise<ReplicaClient>;
  /** Past them. */
  connectDirectly(): Promise<ReplicaClient>;
  /** As `sluice.yml` has them, but for the path: past the steps, and so that requests are noted. */
  readonly input: { readonly direct: Input; readonly noted: Input };
  /** From now on what is no mere reading is noted, of this process and of those that it starts. */
  noteChanges(): void;
  changes(): readonly string[];
  /** Where a path lies on this machine, if it does. */
  readonly onDisk?: (path: string) => string;
  pathOf(name: string): string;
  readonly steps: Steps;
  /** What is not whole and nobody's any more: uploads, temporary files. */
  leftovers(): readonly string[];
  /** What sockets go to; to a folder go none. */
  readonly port: number | undefined;
}

export interface Kind {
  readonly name: string;
  readonly tools: readonly Tool[];
  /** From how many bytes on a file goes in several requests. */
  readonly partBytes: number | 'never';
  /** Of one destination, whatever the number of replicas. */
  readonly socketsMax: number;
  /** Ends with the test. */
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
    // The path is the replica's affair; a folder is nothing without one.
    const { config } = parseConfig(backend, { path: '/replicas', ...input });
    const destination = await backend.connect(config, { logger: SILENT, access: 'write' });
    onTestFinished(() => destination.close());
    return destination;
  };
}

/** Behind a proxy of ours, whatever the server. */
async function placeOfHTTP(
  backend: Backend<unknown>,
  inputAt: (endpoint: string) => Input,
  endpoint: string,
  leftovers: () => readonly string[],
): Promise<Place> {
  const proxy = await startStepProxy(endpoint);
  onTestFinished(() => proxy.stop());
  let notedFrom = 0;
  const direct = inputAt(endpoint);
  const noted = inputAt(endpoint.replace(new URL(endpoint).origin, proxy.origin));
  return {
    connect: connectorOf(backend, noted),
    connectDirectly: connectorOf(backend, direct),
    input: { direct, noted },
    noteChanges: () => void (notedFrom = proxy.requests.length),
    changes: () =>
      proxy.requests.slice(notedFrom).filter((request) => !/^(GET|HEAD) /.test(request)),
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
      // A session that has begun is Google's to forget, within a week.
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
      // Blocks that were not committed are the service's to forget.
      return await placeOfHTTP(azure, inputAt, endpoint, () => []);
    },
  },
  { name: 'sftp', tools: [], partBytes: 'never', socketsMax: 1, open: openSFTP },
  { name: 'file', tools: [], partBytes: 'never', socketsMax: 0, open: openFolder },
];

const READING_SFTP = ['OPEN', 'READ', 'CLOSE', 'FSTAT', 'STAT', 'LSTAT', 'OPENDIR', 'READDIR'];

/** Two servers over one folder: what goes to one is told from what goes to the other. */
async function openSFTP(): Promise<Place> {
  const server = await startFakeServer();
  const other = Object.assign(await startFakeServer(), { folder: server.folder });
  const steps = new Steps();
  server.judge = () => {
    const step = steps.next();
    if (step?.moment === 'before') step.act();
    // It is done, and answered, in this very turn: nothing of the answer has arrived.
    if (step?.moment === 'after') queueMicrotask(step.act);
    return step?.moment === 'lost' ? 'lost-after' : undefined;
  };
  const inputOf = ({ port, hostKey }: typeof server): Input => {
    const at = { type: 'sftp', host: `127.0.0.1:${port}`, user: 'backup' };
    return { ...at, password: PASSWORD, 'host-key': hostKey };
  };
  const input = { direct: inputOf(other), noted: inputOf(server) };
  const backend = sftp;
  return {
    connect: connectorOf(backend, input.noted),
    connectDirectly: connectorOf(backend, input.direct),
    input,
    // Nobody else comes to this server, and none of them is to change anything.
    noteChanges: () => {
      server.requests.length = 0;
      server.modes.length = 0;
    },
    onDisk: (at) => path.join(server.folder, at),
    changes: () => [
      ...server.requests
        .filter(({ kind }) => !READING_SFTP.includes(kind))
        .map(({ kind, path: at }) => `${kind} ${at}`),
      ...server.modes.map((mode) => `a new file of mode ${mode}`), // an OPEN that makes one
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
    input: { direct: { type: 'file' }, noted: { type: 'file' } },
    noteChanges() {
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
