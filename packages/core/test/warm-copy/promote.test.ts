import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { promote, type PromoteReport } from '../../src/warm-copy/promote.ts';
import { copyPathsOf } from '../../src/warm-copy/copy-paths.ts';
import { formatPosition, parsePosition } from '../../src/warm-copy/position.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source, TOTAL } from './source.ts';

interface Scene {
  readonly folder: string;
  readonly source: Source;
  readonly following: Following;
}

async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const source = new Source(folder, new Bucket());
  onTestFinished(() => source.close());
  source.fill(20);
  const following = await Following.start(folder, { clients: [source.bucket.client()] });
  await following.expectState(source);
  return { folder, source, following };
}

async function run(output: string): Promise<PromoteReport> {
  const { signal } = new AbortController();
  return await promote({ output, integrityCheck: 'quick', signal });
}

test('a promoted copy is an ordinary database in the mode of the source, and nothing else is left', async () => {
  const { folder, source, following } = await scene();
  await following.stop();
  const { txid, journalMode } = await run(following.output);
  expect([BigInt(`0x${txid}`), journalMode]).toEqual([BigInt(source.txid), 'wal']);
  expect(fs.readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  const database = new Database(following.output);
  onTestFinished(() => void database.close());
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
  database.exec('UPDATE accounts SET balance = balance');
  expect(database.prepare('SELECT sum(balance) FROM accounts').pluck().get()).toBe(TOTAL);
  await expect(run(following.output)).rejects.toMatchObject({ code: 'DATABASE_REPLACED' });
});

test('a copy that is being followed is not promoted', async () => {
  const { following, source } = await scene();
  await expect(run(following.output)).rejects.toMatchObject({ code: 'DATABASE_BUSY' });
  source.transfer();
  await following.expectState(source);
});

test('a damaged copy stays a copy', async () => {
  const { following, source } = await scene();
  await following.stop();
  const bytes = fs.readFileSync(following.output);
  bytes.fill(0xff, 3 * 1024, 6 * 1024);
  fs.writeFileSync(following.output, bytes);
  await expect(run(following.output)).rejects.toMatchObject({ code: 'RESTORE_INTEGRITY' });
  expect(fs.existsSync(copyPathsOf(following.output).position)).toBe(true);
  expect(source.txid).toBeGreaterThan(0);
});

test('a promotion that was interrupted is completed, and the copy is not followed meanwhile', async () => {
  const { folder, following, source } = await scene();
  await following.stop();
  const { position } = copyPathsOf(following.output);
  const text = fs.readFileSync(position, 'utf8');
  fs.writeFileSync(position, formatPosition({ ...parsePosition(text), kind: 'promoting' }));
  await expect(Following.start(folder, { clients: [source.bucket.client()] })).rejects.toThrow(
    /sluice promote/,
  );
  expect((await run(following.output)).journalMode).toBe('wal');
});
