/** A replica that Litestream wrote, as the one beside which a check is killed. */

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

/** SHA-256 of the database that a restore of it gives. */
export function expectedSHA256(): string {
  const text = fs.readFileSync(path.join(GOLDEN, 'expected.json'), 'utf8');
  const { restores } = JSON.parse(text) as { restores: { file_sha256: string }[] };
  return restores.at(-1)?.file_sha256 ?? 'nothing is expected';
}

export function copyTo(folder: string): void {
  fs.cpSync(BUCKET, folder, { recursive: true, preserveTimestamps: true });
}

/** By the keys that they have below `root` in a bucket. */
export function objectsBelow(root: string): Map<string, Buffer> {
  const objects = new Map<string, Buffer>();
  for (const [name, bytes] of filesIn(BUCKET)) {
    const file = parseKey('tree', '', name);
    if (file !== undefined) objects.set(keyOf('levels', root, file), bytes);
  }
  return objects;
}

/** Every file below a folder, but for those of checks. */
export function filesIn(folder: string): Map<string, Buffer> {
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  const files = names
    .filter((name) => !name.startsWith(SITE) && fs.statSync(path.join(folder, name)).isFile())
    .map((name): [string, Buffer] => [name, fs.readFileSync(path.join(folder, name))]);
  return new Map(files);
}

export const SITE = '.sluice-check-';

export interface Look {
  readonly files: readonly string[];
  readonly plan: unknown;
}

/** TXIDs, times and plan, as a reader finds them. */
export async function lookAt({ client }: OpenReplica): Promise<Look> {
  const listed = await Array.fromAsync(client.listFiles('all'));
  const files = listed.map(
    ({ level, minTXID, maxTXID, sizeBytes, modifiedAt }) =>
      `${level} ${minTXID} ${maxTXID} ${sizeBytes} ${modifiedAt.toISOString()}`,
  );
  return { files, plan: planRestore(listed, { kind: 'latest' }) };
}

export async function restoresAsExpected({ client, capabilities }: OpenReplica): Promise<void> {
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
