/** Connections to a fake server, closed when the test ends. */

import { readBytes, type ObjectBody, type ReplicaClient, parseConfig } from '@sluice/core/backend';
import { toTXID, type LTXFileRef, type Replica } from '@sluice/core/backend/testing';
import { onTestFinished } from 'vitest';

import { backend } from '../src/index.ts';
import type { FakeServer } from './fake-server.ts';

export const PASSWORD = 'a-secret-password';
export const ROOT = '/backups/app';

export interface Logged {
  readonly level: string;
  readonly message: string;
}

export interface ConnectOptions {
  readonly access?: 'read' | 'write';
  readonly input?: Readonly<Record<string, unknown>>;
  readonly logged?: Logged[];
}

export async function connectTo(
  fake: FakeServer,
  { access = 'write', input = {}, logged = [] }: ConnectOptions = {},
): Promise<ReplicaClient> {
  const log = (level: string) => (message: string) => void logged.push({ level, message });
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const { config } = parseConfig(backend, {
    host: `127.0.0.1:${fake.port}`,
    user: 'backup',
    password: PASSWORD,
    'host-key': fake.hostKey,
    ...input,
  });
  const destination = await backend.connect(config, { access, logger });
  onTestFinished(() => destination.close());
  return destination;
}

export function ref(level: number, minTXID: number, maxTXID = minTXID): LTXFileRef {
  return { level, minTXID: toTXID(minTXID), maxTXID: toTXID(maxTXID) };
}

/** A body with this text, in a few chunks. */
export function bodyOf(text: string): ObjectBody {
  const bytes = Buffer.from(text);
  return {
    sizeBytes: bytes.byteLength,
    createdAt: new Date('2023-11-14T22:13:20.123Z'),
    async *open() {
      const step = Math.max(1, Math.ceil(bytes.byteLength / 3));
      for (let offset = 0; offset < bytes.byteLength; offset += step) {
        yield bytes.subarray(offset, offset + step);
      }
    },
  };
}

export async function readText(client: Replica, file: LTXFileRef): Promise<string> {
  const { body } = await client.openFile(file);
  return Buffer.from(await readBytes(body, 10_000_000)).toString();
}
