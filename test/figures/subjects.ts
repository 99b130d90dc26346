/** The servers for the benchmarks of the backends, one at a time. */

import path from 'node:path';
import { startAzurite } from '../servers/azurite.ts';
import { startFakeGCS } from '../servers/fake-gcs.ts';
import { startMinio } from '../servers/minio.ts';
import { s3Input } from '../servers/s3-access.ts';
import { startSshd } from '../servers/sshd.ts';

export interface Subject {
  readonly name: string;
  /** Maximum memory for parts, in MiB: part size times parallel parts. */
  readonly partsMiB: number;
  readonly input: Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

async function s3(): Promise<Subject> {
  const minio = await startMinio();
  return { name: 's3, MinIO', partsMiB: 32, input: s3Input(minio), stop: () => minio.stop() };
}

async function gcs(): Promise<Subject> {
  const server = await startFakeGCS();
  return {
    name: 'gcs, fake-gcs-server',
    partsMiB: 32,
    input: { type: 'gs', bucket: server.bucket, endpoint: server.endpoint },
    stop: () => server.stop(),
  };
}

async function azure(): Promise<Subject> {
  const azurite = await startAzurite();
  return {
    name: 'azure, Azurite',
    partsMiB: 32,
    input: {
      type: 'abs',
      bucket: azurite.container,
      endpoint: azurite.endpoint,
      'account-name': azurite.account,
      'account-key': azurite.accountKey,
    },
    stop: () => azurite.stop(),
  };
}

async function sftp(): Promise<Subject> {
  const sshd = await startSshd({ as: 'own-user', extensions: 'all' });
  return {
    name: 'sftp, OpenSSH',
    partsMiB: 2,
    input: { ...sshd.input, path: path.join(sshd.root, 'bench') },
    stop: () => sshd.stop(),
  };
}

async function file(folder: string): Promise<Subject> {
  const input = { type: 'file', path: path.join(folder, 'replica') };
  return { name: 'file', partsMiB: 1, input, stop: async () => {} };
}

/** Each starts its own server. `folder` is for the backend without a server. */
export const SUBJECTS: readonly ((folder: string) => Promise<Subject>)[] = [
  s3,
  gcs,
  azure,
  sftp,
  file,
];
