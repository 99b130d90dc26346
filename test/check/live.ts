/** The live replica for tests of killed checks, written by Litestream. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { planRestore, restore, type OpenReplica } from '@sluice/core';
import { keyOf, parseKey } from '@sluice/core/backend/testing';
import { expect } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/golden/block-4k/', import.meta.url));
const BUCKET = path.join(GOLDEN, 'bucket');

/** SHA-256 of the restored database. */
export function expectedSHA256(): string {
  const text = fs.readFileSync(path.join(GOLDEN, 'expected.json'), 'utf8');
  const { restores } = JSON.parse(text) as { restores: { file_sha256: string }[] };
  return restores.at(-1)?.file_sha256 ?? 'no expected hash';
}

export function copyTo(folder: string): void {
  fs.cpSync(BUCKET, folder, { recursive: true, preserveTimestamps: true });
}

/** Objects of the replica by their keys below `root` in a bucket. */
export function objectsBelow(root: string): Map<string, Buffer> {
  const objects = new Map<string, Buffer>();
  for (const [name, bytes] of filesIn(BUCKET)) {
    const file = parseKey('tree', '', name);
    if (file !== undefined) objects.set(keyOf('levels', root, file), bytes);
  }
  return objects;
}

/** All files below a folder, except those of checks. */
export function filesIn(folder: string): Map<string, Buffer> {
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  const files = names
    .filter(
      (name) => !name.startsWith(CHECK_PREFIX) && fs.statSync(path.join(folder, name)).isFile(),
    )
    .map((name): [string, Buffer] => [name, fs.readFileSync(path.join(folder, name))]);
  return new Map(files);
}

export const CHECK_PREFIX = '.sluice-check-';

export interface ReplicaView {
  readonly files: readonly string[];
  readonly plan: unknown;
}

/** Lists the replica and plans a restore. */
export async function readReplica({ client }: OpenReplica): Promise<ReplicaView> {
  const listed = await Array.fromAsync(client.listFiles('all'));
  const files = listed.map(
    ({ level, minTXID, maxTXID, sizeBytes, modifiedAt }) =>
      `${level} ${minTXID} ${maxTXID} ${sizeBytes} ${modifiedAt.toISOString()}`,
  );
  return { files, plan: planRestore(listed, { kind: 'latest' }) };
}

export async function expectRestore({ client, capabilities }: OpenReplica): Promise<void> {
  const output = path.join(temporaryFolder('check'), 'restored.db');
  await restore({
    sources: [{ name: 'live', client, capabilities }],
    output,
    target: { kind: 'latest' },
  });
  expect(sha256(output)).toBe(expectedSHA256());
}

export function sha256(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}
