/** `sluice drill` is never ok for a backup of another database, or where `restore` takes another one. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { goldenBucket } from '../support/golden.ts';
import { CLI, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

interface Row {
  readonly result: string;
  readonly txid?: string;
  readonly problems: readonly { message: string; code?: string }[];
}

interface Scene {
  readonly backup: string;
  readonly staging: string;
  /** Commits more rows, and sends them. */
  readonly grow: () => Promise<void>;
  /** The words of a drill. */
  readonly words: (...more: string[]) => string[];
}

/** A database with TXID 1 in its backup. */
async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  const text = `dbs: [{ path: ${database}, replicas: [{ name: one, path: ${backup} }] }]\n`;
  const config = writeFile(folder, 'sluice.yml', text);
  const grow = async (): Promise<void> => {
    addRows(database, 3);
    expect((await runProcess(['replicate', '-once', '-config', config])).code).toBe(0);
  };
  await grow();
  const scratch = path.join(folder, 'scratch');
  fs.mkdirSync(scratch);
  const words: Scene['words'] = (...more) => {
    return ['drill', '-config', config, '-tmp', scratch, '-json', ...more];
  };
  return { backup, staging: path.join(folder, '.app.db-sluice'), grow, words };
}

/** Exit code, result and code of the first problem; and its message. */
async function drill(
  words: readonly string[],
): Promise<{ seen: unknown[]; message: string; row: Row }> {
  const { code, stdout } = await sluice(words);
  const [row] = JSON.parse(stdout) as [Row];
  const [problem] = row.problems;
  return { seen: [code, row.result, problem?.code], message: problem?.message ?? '', row };
}

function replaceBy(backup: string, other: string): void {
  fs.rmSync(backup, { recursive: true });
  fs.cpSync(other, backup, { recursive: true });
}

test('the backup of another database fails the drill, by its TXID or by its lineage', async () => {
  const [mine, other] = [await scene(), await scene()];
  expect((await drill(mine.words())).seen).toEqual([0, 'ok', undefined]);
  await other.grow();
  replaceBy(mine.backup, other.backup);
  const ahead = await drill(mine.words());
  expect(ahead.seen).toEqual([12, 'failed', 'REPLICA_CONFLICT']);
  expect(ahead.message).toMatch(
    /ends with TXID 0{15}[2-9], but the replicator of this database is only at TXID 0{15}1: .*for another database/,
  );
  // Without a position, only the record of what was sent is known.
  fs.rmSync(path.join(mine.staging, 'position'));
  const foreign = await drill(mine.words());
  expect(foreign.seen).toEqual([12, 'failed', 'REPLICA_CONFLICT']);
  expect(foreign.message).toMatch(/of lineage \w{16}, but TXID 0{15}1 of lineage \w{16} was sent/);
});

const LATER = new Date(Date.now() + 60_000);

/** Adds a backup of Litestream 0.3 with its last upload at `at`. Returns its objects. */
function addOld(backup: string, at: Date): string[] {
  fs.cpSync(goldenBucket('v03-4k'), backup, { recursive: true });
  const folder = path.join(backup, 'generations');
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  const objects = names.filter((name) => name.endsWith('.lz4')).sort();
  const files = objects.map((name) => path.join(folder, name));
  for (const file of files) fs.utimesSync(file, at, at);
  return files;
}

test('where restore takes a newer backup of Litestream 0.3, the drill restores that one', async () => {
  const { backup, words } = await scene();
  const objects = addOld(backup, LATER);
  for (const which of ['latest', 'random']) {
    const { seen, row } = await drill(words('-at', which));
    expect(seen).toEqual([0, 'ok', undefined]);
    expect(row).toMatchObject({ generation: '372397bae1f78807' });
    expect(row).not.toHaveProperty('txid');
  }
  expect((await drill(words('-txid', '0000000000000001'))).seen).toEqual([0, 'ok', undefined]);
  const [snapshot = '', firstSegment = ''] = objects;
  fs.writeFileSync(snapshot, 'x'.repeat(100));
  fs.utimesSync(snapshot, LATER, LATER);
  expect((await drill(words())).seen).toEqual([12, 'failed', 'RESTORE_DAMAGED']);
  fs.rmSync(firstSegment);
  expect((await drill(words())).seen).toEqual([12, 'failed', 'RESTORE_GAP']);
});

test('an older backup of Litestream 0.3 does not matter', async () => {
  const { backup, words } = await scene();
  addOld(backup, new Date(Date.now() - 3_600_000));
  expect((await drill(words())).seen).toEqual([0, 'ok', undefined]);
});

test('where restore refuses because either backup may be newer, the drill is inconclusive', async () => {
  const bucket = goldenBucket();
  addOld(bucket, new Date());
  const { seen, message } = await drill(['drill', '-json', `file://${bucket}`]);
  expect(seen).toEqual([13, 'inconclusive', 'RESTORE_AMBIGUOUS']);
  expect(message).toMatch(/choose the LTX files with -txid 0{14}19, or .* -generation/);
});

test.runIf(process.platform === 'linux')(
  'if there is no room for the files that SQLite needs, the drill is inconclusive',
  async () => {
    const { words } = await scene();
    const script = `trap '' XFSZ; ulimit -f ${FILE_BLOCKS_MAX}; exec "$@"`;
    const all = ['-c', script, 'sh', process.execPath, CLI, ...words()];
    const { status, stdout } = spawnSync('/bin/sh', all, { encoding: 'utf8' });
    const [row] = JSON.parse(stdout) as [Row];
    expect([status, row.result, row.txid]).toEqual([13, 'inconclusive', '0000000000000001']);
    expect(row.problems).toMatchObject([
      {
        code: 'RESTORE_OUTPUT',
        message: expect.stringMatching(
          /could not be checked: PRAGMA quick_check: .*-tmp/,
        ) as string,
      },
    ]);
  },
);
/** Of 512 or 1024 bytes: more than the database has, and less than 32 KiB. */
const FILE_BLOCKS_MAX = 25;
