/** The tasks of backends.bench.ts, with the vendors' SDKs alone. */

import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Storage } from '@google-cloud/storage';
import { levelPrefix } from '@sluice/core';
import { CHUNK_BYTES, count, ROOT, type MoveOrder, type Way } from './way.ts';

interface PlainSFTP {
  connect(options: object): Promise<unknown>;
  mkdir(path: string, recursive: boolean): Promise<unknown>;
  fastPut(local: string, remote: string): Promise<unknown>;
  posixRename(from: string, to: string): Promise<unknown>;
  fastGet(remote: string, local: string): Promise<unknown>;
  list(path: string): Promise<readonly unknown[]>;
  end(): Promise<unknown>;
}

const SFTP_LIBRARY: string = 'ssh2-sftp-client';
/** Maximum parallel file system calls. */
const STATS_AT_ONCE = 32;

export async function plainWay({ file, input }: MoveOrder): Promise<Way> {
  const text = (key: string): string => String(input[key]);
  switch (text('type')) {
    case 's3':
      return plainS3(file, text);
    case 'gs':
      return plainGCS(file, text);
    case 'abs':
      return plainAzure(file, text);
    case 'sftp':
      return await plainSFTP(file, text);
    default:
      return plainFile(file, text('path'));
  }
}

type Text = (key: string) => string;

function keyOf(run: number): string {
  return `plain/${run}`;
}

function plainS3(file: string, text: Text): Way {
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
  return {
    async up(run) {
      const Body = fs.createReadStream(file, { highWaterMark: CHUNK_BYTES });
      const ContentLength = fs.statSync(file).size;
      await client.send(new PutObjectCommand({ Bucket, Key: keyOf(run), Body, ContentLength }));
    },
    async down(run) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(run) }));
      return await count(Body as unknown as AsyncIterable<Uint8Array>);
    },
    async list() {
      let files = 0;
      const Prefix = levelPrefix('levels', ROOT, 0);
      for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        files += page.Contents?.length ?? 0;
      }
      return files;
    },
    close: async () => client.destroy(),
  };
}

function plainGCS(file: string, text: Text): Way {
  const storage = new Storage({ apiEndpoint: text('endpoint'), projectId: 'test' });
  const bucket = storage.bucket(text('bucket'));
  return {
    up: async (run) => void (await bucket.upload(file, { destination: keyOf(run) })),
    down: (run) => count(bucket.file(keyOf(run)).createReadStream()),
    async list() {
      const [files] = await bucket.getFiles({ prefix: levelPrefix('tree', ROOT, 0) });
      return files.length;
    },
    close: async () => {},
  };
}

function plainAzure(file: string, text: Text): Way {
  const credential = new StorageSharedKeyCredential(text('account-name'), text('account-key'));
  const container = new ContainerClient(`${text('endpoint')}/${text('bucket')}`, credential);
  return {
    up: async (run) => void (await container.getBlockBlobClient(keyOf(run)).uploadFile(file)),
    async down(run) {
      const { readableStreamBody } = await container.getBlobClient(keyOf(run)).download();
      return await count(readableStreamBody as AsyncIterable<Uint8Array>);
    },
    async list() {
      let files = 0;
      const prefix = levelPrefix('tree', ROOT, 0);
      for await (const { name } of container.listBlobsFlat({ prefix }))
        files += Number(name !== '');
      return files;
    },
    close: async () => {},
  };
}

async function plainSFTP(file: string, text: Text): Promise<Way> {
  // The library has no types, and our own cover only the backend's use of it.
  const { default: Client } = (await import(SFTP_LIBRARY)) as { default: new () => PlainSFTP };
  const client = new Client();
  const [host, port] = text('host').split(':');
  const privateKey = fs.readFileSync(text('key-path'));
  await client.connect({ host, port: Number(port), username: text('user'), privateKey });
  const root = `${text('path')}-plain`;
  await client.mkdir(root, true);
  return {
    async up(run) {
      const name = `${root}/${run}`;
      await client.fastPut(file, `${name}.tmp`);
      fsyncAt(`${name}.tmp`); // the library has no fsync; the server is this machine
      await client.posixRename(`${name}.tmp`, name);
      fsyncAt(root);
    },
    // `get` reads one block after the other and takes 200 s for 256 MiB.
    async down(run) {
      const into = `${file}.down`;
      await client.fastGet(`${root}/${run}`, into);
      return fs.statSync(into).size;
    },
    list: async () => (await client.list(levelPrefix('tree', text('path'), 0))).length,
    close: async () => void (await client.end()),
  };
}

function plainFile(file: string, replica: string): Way {
  const root = `${replica}-plain`;
  fs.mkdirSync(root, { recursive: true });
  const read = (name: string): fs.ReadStream =>
    fs.createReadStream(name, { highWaterMark: CHUNK_BYTES });
  return {
    async up(run) {
      const name = path.join(root, String(run));
      await pipeline(read(file), fs.createWriteStream(`${name}.tmp`, { flush: true }));
      fs.renameSync(`${name}.tmp`, name);
      fsyncAt(root);
    },
    down: (run) => count(read(path.join(root, String(run)))),
    async list() {
      const folder = levelPrefix('tree', replica, 0);
      const names = (await fs.promises.readdir(folder)).values();
      let files = 0;
      const worker = async (): Promise<void> => {
        for (const name of names) {
          const stats = await fs.promises.stat(path.join(folder, name));
          files += Number(stats.isFile());
        }
      };
      await Promise.all(Array.from({ length: STATS_AT_ONCE }, worker));
      return files;
    },
    close: async () => {},
  };
}

function fsyncAt(name: string): void {
  const descriptor = fs.openSync(name, 'r');
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}
