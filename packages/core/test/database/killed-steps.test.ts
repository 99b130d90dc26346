/**
 * A process that is killed at any step of staging a file costs no full snapshot: the next start proves
 * continuity, or compares the pages with their checksums.
 */

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { EngineEvent } from '../../src/database/events.ts';
import { decideBeginning } from '../../src/replicate/beginning.ts';
import { MemoryFiles } from '../support/memory-file-system.ts';
import { Watched } from './watched.ts';

/** More than any cut needs. */
const CALLS_MAX = 40;

interface Death {
  /** The call before which the process was killed; undefined if it staged the file before. */
  readonly at: string | undefined;
  readonly opened: EngineEvent & { kind: 'opened' };
}

type Meanwhile = (watched: Watched, files: MemoryFiles) => void | Promise<void>;

/** Kills the engine at the `calls`-th call of the file system during its second cut, and starts it again. */
async function killedAt(calls: number, meanwhile: Meanwhile): Promise<Death> {
  let left = Infinity;
  let at: string | undefined;
  const files = new MemoryFiles({
    before: (call, file) => {
      left -= 1;
      if (left >= 0) return;
      at ??= `${call} ${file.split('/').at(-1)}`;
      throw new Error('the process was killed');
    },
  });
  const watched = new Watched();
  watched.commit();
  const killed = watched.start({ files });
  await watched.next('staged');
  watched.commit();
  await killed.sync();
  watched.commit();
  left = calls;
  await killed.sync().catch(() => undefined);
  const death = at;
  left = 0; // even a complete cut is followed by a kill
  await killed.close();
  left = Infinity;
  await meanwhile(watched, files);
  const from = watched.events.length;
  const next = watched.start({ files });
  const opened = await watched.next('opened', () => true, from);
  await next.close();
  return { at: death, opened };
}

function beginningOf({ opened }: Death): string {
  const { proved, why, checksummed, lastTXID, staged } = opened;
  const sent = staged.at(-2)?.file.maxTXID ?? 0n;
  const destination = { name: 'a', chain: 'ours', highest: sent } as const;
  const destinations = [destination] as never;
  const found = { after: 'start', proved, why, checksummed, lastTXID, records: [] } as const;
  return decideBeginning({ ...found, destinations }).mode;
}

/** Every step of a cut, in order. */
async function everyDeath(meanwhile: Meanwhile): Promise<Death[]> {
  const deaths: Death[] = [];
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    const death = await killedAt(calls, meanwhile);
    if (death.at === undefined) return deaths;
    deaths.push(death);
  }
  throw new Error(`a cut takes more than ${CALLS_MAX} calls`);
}

test('killed at any step of a cut, a start beside an untouched database continues', async () => {
  const deaths = await everyDeath(() => undefined);
  const modes = Object.fromEntries(deaths.map((death) => [death.at, beginningOf(death)]));
  expect(Object.keys(modes)).toContain('rename cut-0000000000000003.tmp');
  expect(new Set(Object.values(modes))).toEqual(new Set(['resume']));
});

test('killed at any step of a cut, a start after other writes sends the changed pages', async () => {
  const deaths = await everyDeath((watched) => {
    watched.app.close(); // deletes the WAL
    const app = new Database(watched.path);
    app.pragma('wal_checkpoint(TRUNCATE)');
    app.exec("INSERT INTO t(v) VALUES ('meanwhile')");
    app.pragma('wal_checkpoint(TRUNCATE)');
    app.close();
  });
  const modes = Object.fromEntries(deaths.map((death) => [death.at, beginningOf(death)]));
  expect(new Set(Object.values(modes))).toEqual(new Set(['changes']));
});

const UNNAMED = 'cut-0000000000000003.tmp';

/** Kills the engine before the file of TXID 3 gets its name. */
async function killedBeforeTheName(meanwhile: Meanwhile): Promise<Death> {
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    let isThen = false;
    const death = await killedAt(calls, async (watched, files) => {
      const position = await textOf(files, `${watched.metaPath}/position`);
      isThen = (await files.stat(`${watched.metaPath}/${UNNAMED}`)) !== undefined;
      isThen &&= position.includes('"0000000000000003"');
      if (isThen) await meanwhile(watched, files);
    });
    if (isThen) return death;
  }
  throw new Error('the file always had its name');
}

async function bytesOf(files: MemoryFiles, file: string): Promise<Buffer> {
  const handle = await files.open(file);
  const bytes = Buffer.alloc(await handle.sizeBytes());
  await handle.readFully(bytes, 0);
  return bytes;
}

async function textOf(files: MemoryFiles, file: string): Promise<string> {
  return (await bytesOf(files, file)).toString();
}

async function rewrite(files: MemoryFiles, file: string, bytes: Uint8Array): Promise<void> {
  await files.remove(file);
  const handle = await files.create(file);
  await handle.append(bytes);
  await handle.close();
}

test('a file that was whole before the kill gets its name', async () => {
  const { opened } = await killedBeforeTheName(() => undefined);
  expect(opened.staged.at(-1)?.file.maxTXID).toBe(3n);
  expect(opened.proved).toBe(3n);
});

test.for<[string, Meanwhile]>([
  [
    'is damaged',
    async ({ metaPath }, files) => {
      const bytes = await bytesOf(files, `${metaPath}/${UNNAMED}`);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      await rewrite(files, `${metaPath}/${UNNAMED}`, bytes);
    },
  ],
  [
    'does not follow the newest staged file',
    async ({ metaPath }, files) => {
      await files.remove(`${metaPath}/ltx/0/0000000000000002-0000000000000002.ltx`);
    },
  ],
  [
    'is of another lineage than the position',
    async ({ metaPath }, files) => {
      const position = JSON.parse(await textOf(files, `${metaPath}/position`)) as object;
      const text = JSON.stringify({ ...position, lineage: 'abc' });
      await rewrite(files, `${metaPath}/position`, Buffer.from(text));
    },
  ],
])('one that %s gets none, and a full snapshot is taken', async ([, damage]) => {
  const death = await killedBeforeTheName(damage);
  expect(death.opened.staged.map(({ file }) => file.maxTXID)).not.toContain(3n);
  expect(beginningOf(death)).toBe('image');
});

test('a position that finds no room at first costs no full snapshot', async () => {
  let failures = 0;
  const files = new MemoryFiles({
    before: (call, file) => {
      if (failures === 0 || call !== 'create' || !file.endsWith('position.tmp')) return;
      failures -= 1;
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    },
  });
  const watched = new Watched();
  watched.commit();
  const engine = watched.start({ files });
  await watched.next('staged');
  watched.commit();
  failures = 1;
  await engine.sync();
  expect(watched.all('full')).toHaveLength(1);
  await engine.close();
  const from = watched.events.length;
  const next = watched.start({ files });
  const opened = await watched.next('opened', () => true, from);
  expect(opened.checksummed).toBe(2n);
  await next.close();
});
