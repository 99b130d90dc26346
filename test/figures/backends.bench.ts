/**
 * A file of 256 MiB up and down: each backend, and beside it the vendor's SDK called plainly, against
 * the same server. Each is a process of its own, which tells medians and its peak of memory. For
 * SFTP and folders the plain way does the same fsync and rename.
 */

import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startAzurite } from '../servers/azurite.ts';
import { startFakeGCS } from '../servers/fake-gcs.ts';
import { startMinio } from '../servers/minio.ts';
import { s3Input } from '../servers/s3-access.ts';
import { startSshd } from '../servers/sshd.ts';
import { answer, inFolder, print, round, type Row } from './bench.ts';
import type { Moved, MoveOrder } from './move-file.ts';

const MIB = Number(process.env['SLUICE_BENCH_MIB'] ?? 256);
const MIB_BYTES = 1_048_576;
/** Within a tenth of the plain way, or this. */
const SLACK_MS = 200;
/** Of memory, above what the parts on their way may take. */
const SLACK_MIB = 40;

interface Subject {
  readonly name: string;
  /** What the backend holds in parts at most, in MiB: part size times parts at once. */
  readonly partsMiB: number;
  readonly input: Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

async function subjects(folder: string): Promise<Subject[]> {
  const [minio, gcs, azure, sftp] = await Promise.all([
    startMinio(),
    startFakeGCS(),
    startAzurite(),
    startSshd({ as: 'own-user', extensions: 'all' }),
  ]);
  return [
    { name: 's3, MinIO', partsMiB: 64, input: s3Input(minio), stop: () => minio.stop() },
    {
      name: 'gcs, fake-gcs-server',
      partsMiB: 64,
      input: { type: 'gs', bucket: gcs.bucket, endpoint: gcs.endpoint },
      stop: () => gcs.stop(),
    },
    {
      name: 'azure, Azurite',
      partsMiB: 64,
      input: {
        type: 'abs',
        bucket: azure.container,
        endpoint: azure.endpoint,
        'account-name': azure.account,
        'account-key': azure.accountKey,
      },
      stop: () => azure.stop(),
    },
    {
      name: 'sftp, OpenSSH',
      partsMiB: 8,
      input: { ...sftp.input, path: path.join(sftp.root, 'bench') },
      stop: () => sftp.stop(),
    },
    {
      name: 'file',
      partsMiB: 8,
      input: { type: 'file', path: path.join(folder, 'replica') },
      stop: async () => {},
    },
  ];
}

async function move(order: MoveOrder): Promise<Moved> {
  const child = fork(path.join(import.meta.dirname, 'move-file.ts'), [JSON.stringify(order)], {
    env: { ...process.env, AWS_CA_BUNDLE: '' },
  });
  const [moved] = await answer(child);
  return moved as Moved;
}

function rowsOf(subject: Subject, ours: Moved, plain: Moved): Row[] {
  const bar = (ms: number): number => Math.max(ms * 1.1, ms + SLACK_MS);
  const time = (what: string, of: (moved: Moved) => number): Row => ({
    what: `${subject.name}: ${MIB} MiB ${what}`,
    unit: 'ms',
    ours: round(of(ours), 0),
    beside: { 'the SDK alone': round(of(plain), 0) },
    bar: round(bar(of(plain)), 0),
    lowerIsBetter: true,
  });
  return [
    time('up', (moved) => moved.upMs),
    time('down', (moved) => moved.downMs),
    {
      what: `${subject.name}: memory above an idle process`,
      unit: 'MiB',
      ours: round(ours.memoryMiB, 0),
      beside: { 'the SDK alone': round(plain.memoryMiB, 0) },
      bar: subject.partsMiB + SLACK_MIB,
      lowerIsBetter: true,
    },
  ];
}

const rows: Row[] = [];
await inFolder(async (folder) => {
  const file = path.join(folder, 'source');
  writeRandom(file);
  for (const subject of await subjects(folder)) {
    const ours = await move({ file, way: 'ours', input: subject.input });
    const plain = await move({ file, way: 'plain', input: subject.input });
    rows.push(...rowsOf(subject, ours, plain));
    await subject.stop();
  }
});
print('backends', rows, 'medians of five; the servers run on the same machine');

function writeRandom(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  const chunk = Buffer.alloc(MIB_BYTES);
  for (let n = 0; n < MIB; n++) {
    crypto.getRandomValues(chunk.subarray(0, 65_536));
    chunk.copyWithin(65_536, 0, MIB_BYTES - 65_536);
    fs.writeSync(descriptor, chunk);
  }
  fs.closeSync(descriptor);
}
