/** One file up and down, by a backend or by its vendor's SDK alone; told by message. See backends.bench.ts. */

import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Storage } from '@google-cloud/storage';
import { wrapDestination } from '@sluice/core';
import { toTXID, type Backend } from '@sluice/core/backend';
import { quantile } from './bench.ts';

export interface MoveOrder {
  readonly file: string;
  readonly way: 'ours' | 'plain';
  readonly input: Readonly<Record<string, unknown>>;
}

export interface Moved {
  readonly upMs: number;
  readonly downMs: number;
  /** Peak of resident memory, above that before the first byte. */
  readonly memoryMiB: number;
}

interface PlainSFTP {
  connect(options: object): Promise<unknown>;
  mkdir(path: string, recursive: boolean): Promise<unknown>;
  fastPut(local: string, remote: string): Promise<unknown>;
  posixRename(from: string, to: string): Promise<unknown>;
  get(path: string, into: Writable): Promise<unknown>;
  end(): Promise<unknown>;
}

interface Way {
  up(run: number): Promise<void>;
  /** To nowhere: the bytes are counted. */
  down(run: number): Promise<number>;
  close(): Promise<void>;
}

const SFTP_LIBRARY: string = 'ssh2-sftp-client';
const RUNS = 5;
const CHUNK_BYTES = 1_048_576;
const KIB = 1024;

const order = JSON.parse(process.argv[2] ?? '{}') as MoveOrder;
const sizeBytes = fs.statSync(order.file).size;
const text = (key: string): string => String(order.input[key]);
const way = order.way === 'ours' ? await ours() : await plain();
const before = process.memoryUsage().rss;
const ups: number[] = [];
const downs: number[] = [];
for (let run = 0; run < RUNS; run++) {
  ups.push(await timed(() => way.up(run)));
  downs.push(
    await timed(async () => {
      const came = await way.down(run);
      if (came !== sizeBytes) throw new Error(`${came} of ${sizeBytes} bytes came`);
    }),
  );
}
await way.close();
const peak = process.resourceUsage().maxRSS * KIB;
process.send?.({
  upMs: quantile(ups, 0.5),
  downMs: quantile(downs, 0.5),
  memoryMiB: (peak - before) / (KIB * KIB),
} satisfies Moved);

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function backendOf(type: string): Promise<Backend<unknown>> {
  switch (type) {
    case 's3':
      return (await import('@sluice/s3')).backend;
    case 'gs':
      return (await import('@sluice/gcs')).backend;
    case 'abs':
      return (await import('@sluice/azure')).backend;
    case 'sftp':
      return (await import('@sluice/sftp')).backend;
    default:
      return (await import('@sluice/file')).backend;
  }
}

async function ours(): Promise<Way> {
  const backend = await backendOf(text('type'));
  const { config, path: root } = backend.parse({ path: 'bench', ...order.input });
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const destination = wrapDestination(await backend.connect(config, { logger, access: 'write' }));
  const replica = destination.replica(root);
  const refOf = (run: number): { level: number; minTXID: bigint; maxTXID: bigint } => ({
    level: 9,
    minTXID: toTXID(1),
    maxTXID: toTXID(run + 1),
  });
  return {
    async up(run) {
      const body = {
        sizeBytes,
        createdAt: new Date(0),
        open: () => fs.createReadStream(order.file, { highWaterMark: CHUNK_BYTES }),
      };
      await replica.writeFile(refOf(run) as never, body);
    },
    async down(run) {
      const { body } = await replica.openFile(refOf(run) as never);
      return await count(body);
    },
    close: () => destination.close(),
  };
}

async function plain(): Promise<Way> {
  switch (text('type')) {
    case 's3':
      return plainS3();
    case 'gs':
      return plainGCS();
    case 'abs':
      return plainAzure();
    case 'sftp':
      return await plainSFTP();
    default:
      return plainFile();
  }
}

function plainS3(): Way {
  const client = new S3Client({
    endpoint: text('endpoint'),
    region: text('region'),
    forcePathStyle: true,
    credentials: {
      accessKeyId: text('access-key-id'),
      secretAccessKey: text('secret-access-key'),
    },
  });
  const Bucket = text('bucket');
  const keyOf = (run: number): string => `plain/${run}`;
  return {
    async up(run) {
      const Body = fs.createReadStream(order.file, { highWaterMark: CHUNK_BYTES });
      const ContentLength = sizeBytes;
      await client.send(new PutObjectCommand({ Bucket, Key: keyOf(run), Body, ContentLength }));
    },
    async down(run) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(run) }));
      return await count(Body as unknown as AsyncIterable<Uint8Array>);
    },
    close: async () => client.destroy(),
  };
}

function plainGCS(): Way {
  const bucket = new Storage({ apiEndpoint: text('endpoint'), projectId: 'test' }).bucket(
    text('bucket'),
  );
  return {
    up: async (run) => void (await bucket.upload(order.file, { destination: `plain/${run}` })),
    down: (run) => count(bucket.file(`plain/${run}`).createReadStream()),
    close: async () => {},
  };
}

function plainAzure(): Way {
  const credential = new StorageSharedKeyCredential(text('account-name'), text('account-key'));
  const container = new ContainerClient(`${text('endpoint')}/${text('bucket')}`, credential);
  return {
    up: async (run) =>
      void (await container.getBlockBlobClient(`plain/${run}`).uploadFile(order.file)),
    async down(run) {
      const { readableStreamBody } = await container.getBlobClient(`plain/${run}`).download();
      return await count(readableStreamBody as AsyncIterable<Uint8Array>);
    },
    close: async () => {},
  };
}

async function plainSFTP(): Promise<Way> {
  // The library brings no types, and our own say only what the backend uses.
  const { default: Client } = (await import(SFTP_LIBRARY)) as {
    default: new () => PlainSFTP;
  };
  const client = new Client();
  const [host, port] = text('host').split(':');
  const privateKey = fs.readFileSync(text('key-path'));
  await client.connect({ host, port: Number(port), username: text('user'), privateKey });
  const root = `${text('path')}-plain`;
  await client.mkdir(root, true);
  return {
    async up(run) {
      const name = `${root}/${run}`;
      await client.fastPut(order.file, `${name}.tmp`);
      fsyncAt(`${name}.tmp`); // the library cannot ask for it; the server is this machine
      await client.posixRename(`${name}.tmp`, name);
      fsyncAt(root);
    },
    async down(run) {
      let came = 0;
      const sink = new Writable({
        write(chunk: Buffer, _, done) {
          came += chunk.length;
          done();
        },
      });
      await client.get(`${root}/${run}`, sink);
      return came;
    },
    close: async () => void (await client.end()),
  };
}

function plainFile(): Way {
  const root = `${text('path')}-plain`;
  fs.mkdirSync(root, { recursive: true });
  const read = (name: string): fs.ReadStream =>
    fs.createReadStream(name, { highWaterMark: CHUNK_BYTES });
  return {
    async up(run) {
      const name = path.join(root, String(run));
      await pipeline(read(order.file), fs.createWriteStream(`${name}.tmp`, { flush: true }));
      fs.renameSync(`${name}.tmp`, name);
      fsyncAt(root);
    },
    down: (run) => count(read(path.join(root, String(run)))),
    close: async () => {},
  };
}

function fsyncAt(name: string): void {
  const descriptor = fs.openSync(name, 'r');
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

async function count(body: AsyncIterable<Uint8Array | string>): Promise<number> {
  let came = 0;
  for await (const chunk of body) came += chunk.length;
  return came;
}
