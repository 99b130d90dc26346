/** Number of HTTP requests per operation of the bucket backends, counted by a proxy. */

import { Destination } from '@sluice/core';
import { bodyFromBytes, parseConfig } from '@sluice/core/backend';
import { toTXID, type LTXFileRef, type Replica } from '@sluice/core/backend/testing';
import { startCountingProxy } from '../servers/counting-proxy.ts';
import { inFolder, print, type Row } from './bench.ts';
import { backendOf } from './our-way.ts';
import { SUBJECTS, type Subject } from './subjects.ts';
import { ROOT } from './way.ts';
import { copyFile } from '../support/copy.ts';

const KIB = 1024;
const SMALL_BYTES = 64 * KIB;
/** Three parts of 8 MiB. */
const LARGE_BYTES = 20 * KIB * KIB;
const FILES = 100;

interface Operation {
  readonly what: string;
  /** Maximum number of requests. */
  readonly bar?: number;
  run(replica: Replica): Promise<unknown>;
}

const body = (sizeBytes: number): ReturnType<typeof bodyFromBytes> =>
  bodyFromBytes(new Uint8Array(sizeBytes).fill(1), new Date(0));

const fileOf = (level: number, txid: number): LTXFileRef => ({
  level,
  minTXID: toTXID(txid),
  maxTXID: toTXID(txid),
});

const many = Array.from({ length: FILES }, (_, index) => fileOf(0, index + 1));

async function read({ body: bytes }: { readonly body: AsyncIterable<Uint8Array> }): Promise<void> {
  for await (const _ of bytes);
}

/** In this order, because each operation uses the files of the ones before it. */
const OPERATIONS: readonly Operation[] = [
  {
    what: 'write an L0 file of 64 KiB',
    bar: 1,
    run: (replica) => replica.writeFile(fileOf(0, 1), body(SMALL_BYTES)),
  },
  {
    what: 'write one only where there is none',
    bar: 1,
    run: (replica) =>
      replica.writeFile(fileOf(0, 2), body(SMALL_BYTES), { condition: 'if-absent' }),
  },
  {
    what: 'write a file of 20 MiB',
    run: (replica) => replica.writeFile(fileOf(9, 1), body(LARGE_BYTES)),
  },
  {
    what: 'read a file',
    run: async (replica) => await read(await replica.openFile(fileOf(0, 1))),
  },
  {
    what: 'read a range of one',
    run: async (replica) =>
      await read(await replica.openFile(fileOf(9, 1), { range: { start: 5, end: 500 } })),
  },
  {
    what: 'list a level',
    run: (replica) => Array.fromAsync(replica.listFiles(0)),
  },
  {
    what: 'list all levels',
    run: (replica) => Array.fromAsync(replica.listFiles('all')),
  },
  {
    what: 'copy a file there',
    run: async (replica) => await copyFile(replica, fileOf(0, 1), fileOf(0, 3)),
  },
  { what: 'delete a file', run: (replica) => replica.deleteFiles([fileOf(0, 3)]) },
  { what: `delete ${FILES} files`, run: (replica) => replica.deleteFiles(many) },
  {
    what: 'put a named object',
    run: async ({ objects }) => await objects.put('lock.json', new Uint8Array(100)),
  },
  {
    what: 'get a named object',
    run: async ({ objects }) => await read(await objects.get('lock.json')),
  },
];

async function rowsOf({ name, input }: Subject): Promise<Row[]> {
  const { origin, href } = new URL(String(input['endpoint']));
  const proxy = await startCountingProxy(origin);
  // Azurite's endpoint has the account as its path.
  const endpoint = href.replace(origin, proxy.endpoint);
  const backend = await backendOf(String(input['type']));
  const { config, path } = parseConfig(backend, { path: ROOT, ...input, endpoint });
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const destination = new Destination(await backend.connect(config, { logger, access: 'write' }));
  const replica = destination.replica(path);
  const rows: Row[] = [];
  for (const operation of OPERATIONS) {
    const { what, bar } = operation;
    await operation.run(replica);
    const limit = bar === undefined ? {} : { bar };
    const row = { unit: 'requests', ours: proxy.take(), lowerIsBetter: true, ...limit };
    rows.push({ what: `${name}: ${what}`, ...row });
  }
  await destination.close();
  await proxy.stop();
  return rows;
}

const rows: Row[] = [];
await inFolder(async (folder) => {
  for (const start of SUBJECTS) {
    const subject = await start(folder);
    if ('endpoint' in subject.input) rows.push(...(await rowsOf(subject)));
    await subject.stop();
  }
});
print('requests', rows, 'the first call of each operation, without retries');
