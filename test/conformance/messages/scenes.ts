/** Faulty destinations, and the command's output for each. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished, vi } from 'vitest';
import { stringify } from 'yaml';
import { startFakeServer, type FakeServer } from '../../../packages/sftp/test/fake-server.ts';
import { PASSWORD } from '../../../packages/sftp/test/fixtures.ts';
import { makeKeys } from '../../../packages/sftp/test/keys.ts';
import { sluice, startSluice } from '../../check/program.ts';
import { accountToken, type AzurePlace } from '../../servers/azure-access.ts';
import { startAzurite } from '../../servers/azurite.ts';
import { serviceAccount, start as startGCS } from '../../servers/gcs/index.ts';
import { s3Input } from '../../servers/s3-access.ts';
import { start as startS3, type RunningS3 } from '../../servers/s3/index.ts';
import type { Tool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';

type Replica = Readonly<Record<string, unknown>>;

export interface Scene {
  /** Its caption in docs/errors.md. */
  readonly name: string;
  readonly tools: readonly Tool[];
  /** Whether the first listing or the first write fails. */
  readonly command: 'restore' | 'replicate';
  /** Sets up the fault and returns the configuration of the destination. */
  readonly arrange: () => Promise<Replica>;
}

function scene(
  name: string,
  arrange: Scene['arrange'],
  { tools = [], command = 'restore' }: Partial<Scene> = {},
): Scene {
  return { name, arrange, tools, command };
}

const AZURITE = { tools: ['azurite'] } as const;
const WRITING = { command: 'replicate' } as const;
/** Status code of newer servers. Older ones only return "failure". */
const NO_SPACE = 14;

export const SCENES: readonly Scene[] = [
  scene('An unknown type', async () => ({ type: 's4', path: 'app' })),

  scene('A wrong key: s3', async () =>
    s3Replica(await s3(), { 'secret-access-key': 'not-the-secret' }),
  ),
  scene('A wrong key: gs', async () => {
    const { account } = serviceAccount('replicator', ['roles/storage.objectUser']);
    const { credentials } = serviceAccount('replicator', []);
    return { ...(await gs({ accounts: [account] })), credentials };
  }),
  scene(
    'A wrong key: abs',
    async () => {
      const key = Buffer.from('not the key of the account').toString('base64');
      return withKey(await azure(), { 'account-key': key });
    },
    AZURITE,
  ),
  scene('A wrong key: sftp', async () => {
    const server = await startFakeServer();
    server.accept = () => false;
    return sftpReplica(server);
  }),

  scene('An expired credential: s3', async () => {
    const server = await s3();
    server.faults.add({ kind: 'error', status: 400, code: 'ExpiredToken' }, { times: 99 });
    return s3Replica(server, { 'session-token': 'of-yesterday' });
  }),
  scene(
    'An expired credential: abs',
    async () => {
      const place = await azure();
      const token = accountToken(place, { expiresOn: new Date(Date.now() - DAY_MS) });
      return { ...azureReplica(place), 'sas-token': token };
    },
    AZURITE,
  ),

  scene('A bucket that does not exist: s3', async () =>
    s3Replica(await s3(), { bucket: 'no-such-bucket' }),
  ),
  scene('A bucket that does not exist: gs', async () => ({
    ...(await gs()),
    bucket: 'no-such-bucket',
  })),
  scene(
    'A bucket that does not exist: abs',
    async () => withKey(await azure(), { bucket: 'no-such-bucket' }),
    AZURITE,
  ),
  scene('A folder that does not exist: sftp', async () => sftpReplica(await startFakeServer())),
  scene('A folder that does not exist: file', async () => ({
    path: path.join(temporaryFolder('disk'), 'backups', 'app'),
  })),

  scene(
    'A full disk: sftp',
    async () => {
      const server = await startFakeServer();
      server.intercept = ({ kind }) => (kind === 'WRITE' ? NO_SPACE : undefined);
      return sftpReplica(server);
    },
    WRITING,
  ),
  scene(
    'A full disk: file',
    async () => {
      const folder = temporaryFolder('disk');
      vi.stubEnv('SLUICE_TEST_FOLDER', folder);
      vi.stubEnv('NODE_OPTIONS', `--import=${new URL('no-space.mjs', import.meta.url).href}`);
      onTestFinished(() => void vi.unstubAllEnvs());
      return { path: path.join(folder, 'app') };
    },
    WRITING,
  ),

  scene('A host key that changed: sftp', async () => ({
    ...sftpReplica(await startFakeServer()),
    'host-key': makeKeys().public,
  })),
];

const DAY_MS = 86_400_000;

/** The output, with varying parts replaced as in docs/errors.md. */
export async function printedBy({ command, arrange }: Scene): Promise<string> {
  const replica = await arrange();
  const folder = temporaryFolder('messages');
  const database = path.join(folder, 'app.db');
  const config = path.join(folder, 'sluice.yml');
  fs.writeFileSync(config, stringify({ dbs: [{ path: database, replicas: [replica] }] }));
  const words = ['-config', config];
  if (command === 'restore') {
    const output = path.join(folder, 'restored.db');
    const { stderr } = await sluice('restore', ...words, '-o', output, database);
    return normalize(stderr);
  }
  new Database(database).exec('CREATE TABLE t(a)').close();
  const { child, ended } = startSluice('replicate', ...words);
  // It would retry for as long as it runs.
  child.stdout?.on('data', (chunk) => void (/code=/.test(String(chunk)) && child.kill('SIGKILL')));
  const { stdout } = await ended;
  return normalize(stdout.split('\n').find((line) => line.includes('code=')) ?? stdout);
}

function normalize(text: string): string {
  return text
    .trim()
    .replace(/^time=\S+ /, '')
    .replace(/ target=.*? code=/, ' code=')
    .replace(/ failures=.*$/, '')
    .replaceAll(tmpdir(), '/tmp')
    .replaceAll(/\/tmp\/sluice-messages-\w+\/sluice\.yml/g, '/etc/sluice.yml')
    .replaceAll(/\/tmp\/sluice-disk-\w+/g, '/mnt/disk')
    .replaceAll('sluice-test', 'my-app-backups')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'backup.example.com')
    .replaceAll(/request [\w-]{16,}/g, 'request …')
    .replaceAll(/SHA256:[\w+/]{43}/g, 'SHA256:…')
    .replaceAll(/A fault of the test/g, '…');
}

async function s3(): Promise<RunningS3> {
  const server = await startS3({ buckets: ['my-app-backups'] });
  onTestFinished(() => server.stop());
  return server;
}

function s3Replica(server: RunningS3, more: Replica): Replica {
  return { ...s3Input(server), path: 'app', ...more };
}

async function gs(options: Parameters<typeof startGCS>[0] = {}): Promise<Replica> {
  const server = await startGCS(options);
  onTestFinished(() => server.stop());
  return { type: 'gs', bucket: server.bucket, path: 'app', endpoint: server.endpoint };
}

async function azure(): Promise<AzurePlace> {
  const server = await startAzurite();
  onTestFinished(() => server.stop());
  return server;
}

function azureReplica({ endpoint, container, account }: AzurePlace): Replica {
  return { type: 'abs', bucket: container, path: 'app', endpoint, 'account-name': account };
}

function withKey(place: AzurePlace, more: Replica): Replica {
  return { ...azureReplica(place), 'account-key': place.accountKey, ...more };
}

function sftpReplica({ port, hostKey }: FakeServer): Replica {
  const at = { type: 'sftp', host: `127.0.0.1:${port}`, user: 'backup', path: '/backups/app' };
  return { ...at, password: PASSWORD, 'host-key': hostKey };
}
