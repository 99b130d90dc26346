import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { copyPathsOf } from '../../src/warm-copy/copy-paths.ts';
import { formatPosition, parsePosition } from '../../src/warm-copy/position.ts';
import { promote } from '../../src/warm-copy/promote.ts';
import { refuseWarmCopy } from '../../src/warm-copy/refuse-copy.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source } from './source.ts';

const REFUSAL = { code: 'CONFIG_INVALID' };

async function newCopy(): Promise<{ output: string; following: Following }> {
  const folder = temporaryFolder();
  const source = new Source(folder, new Bucket());
  onTestFinished(() => source.close());
  const following = await Following.start(folder, { clients: [source.bucket.client()] });
  await following.expectState(source);
  return { output: following.output, following };
}

test('a copy is not replicated, whether it is followed or not, by any name', async () => {
  const { output, following } = await newCopy();
  await expect(refuseWarmCopy(output)).rejects.toMatchObject(REFUSAL);
  await following.stop();
  const link = path.join(temporaryFolder(), 'link.db');
  fs.symlinkSync(output, link);
  await expect(refuseWarmCopy(link)).rejects.toMatchObject(REFUSAL);
});

test('a copy is not replicated in the middle of a change, or of a promotion', async () => {
  const { output, following } = await newCopy();
  await following.stop();
  const { position, journal } = copyPathsOf(output);
  const bytes = fs.readFileSync(output);
  bytes[60] = 0xff;
  fs.writeFileSync(output, bytes);
  fs.writeFileSync(journal, 'of a change');
  await expect(refuseWarmCopy(output)).rejects.toMatchObject(REFUSAL);
  fs.rmSync(journal);
  const { states } = parsePosition(fs.readFileSync(position, 'utf8'));
  fs.writeFileSync(position, formatPosition({ kind: 'promoting', states }));
  await expect(refuseWarmCopy(output)).rejects.toMatchObject(REFUSAL);
});

test('a promoted copy, a database that replaced a copy, and a missing one are no copies', async () => {
  const { output, following } = await newCopy();
  await following.stop();
  const { signal } = new AbortController();
  const { folder } = copyPathsOf(output);
  const kept = path.join(temporaryFolder(), 'kept');
  fs.cpSync(folder, kept, { recursive: true });
  await promote({ output, integrityCheck: 'none', signal });
  await expect(refuseWarmCopy(output)).resolves.toBeUndefined();
  fs.cpSync(kept, folder, { recursive: true });
  fs.rmSync(output);
  await expect(refuseWarmCopy(output)).resolves.toBeUndefined();
  const other = new Database(output);
  other.exec('CREATE TABLE other (id)');
  other.close();
  await expect(refuseWarmCopy(output)).resolves.toBeUndefined();
});
