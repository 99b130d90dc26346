/** The tasks of backends.bench.ts, with the backends and core's wrappers. */

import { Destination } from '@sluice/core';
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';

import { bodyFromBytes, type Backend, type ObjectBody, parseConfig } from '@sluice/core/backend';
import { toTXID, type LTXFileRef } from '@sluice/core/backend/testing';
import { CHUNK_BYTES, count, ROOT, type MoveOrder, type Way } from './way.ts';

/** Like core's maximum number of parallel calls. */
const WRITES_AT_ONCE = 16;
const SMALL_BYTES = 512;

export interface OurWay extends Way {
  /** Writes small files of level 0. */
  fill(files: number): Promise<void>;
}

export async function ourWay({ file, from, input }: MoveOrder): Promise<OurWay> {
  const type = String(input['type']);
  const backend = await backendOf(type);
  const { config, path: root } = parseConfig(backend, { path: ROOT, ...input });
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const destination = new Destination(await backend.connect(config, { logger, access: 'write' }));
  const replica = destination.replica(root);
  return {
    async up(run) {
      await replica.writeFile(fileOf(9, run + 1), bodyOf(file, from));
    },
    async down(run) {
      const { body } = await replica.openFile(fileOf(9, run + 1));
      if (type !== 'sftp') return await count(body);
      // Like the SFTP library, which writes to a file.
      await pipeline(body, fs.createWriteStream(`${file}.down`));
      return fs.statSync(`${file}.down`).size;
    },
    async list() {
      let files = 0;
      for await (const { sizeBytes } of replica.listFiles(0)) files += Number(sizeBytes > 0);
      return files;
    },
    async fill(files) {
      const body = bodyFromBytes(new Uint8Array(SMALL_BYTES).fill(1), new Date(0));
      const numbers = Array.from({ length: files }, (_, index) => index + 1).values();
      const worker = async (): Promise<void> => {
        for (const number of numbers) await replica.writeFile(fileOf(0, number), body);
      };
      await Promise.all(Array.from({ length: WRITES_AT_ONCE }, worker));
    },
    close: () => destination.close(),
  };
}

export async function backendOf(type: string): Promise<Backend<unknown>> {
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

function fileOf(level: number, txid: number): LTXFileRef {
  return { level, minTXID: toTXID(level === 9 ? 1 : txid), maxTXID: toTXID(txid) };
}

function bodyOf(file: string, from: MoveOrder['from']): ObjectBody {
  const sizeBytes = fs.statSync(file).size;
  const read = (): AsyncIterable<Uint8Array> =>
    fs.createReadStream(file, { highWaterMark: CHUNK_BYTES });
  const open = from === 'file' ? read : () => repeat(sizeBytes / CHUNK_BYTES);
  return { sizeBytes, createdAt: new Date(0), open };
}

async function* repeat(times: number): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES).fill(1);
  for (let n = 0; n < times; n++) yield chunk;
}
