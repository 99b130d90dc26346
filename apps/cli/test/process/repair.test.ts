/** `sluice repair` of three folders. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../src/exit-codes.ts';
import { addRows } from '../support/database.ts';
import { runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const NAMES = ['one', 'two', 'three'] as const;
/** The files of a database that was replicated once. */
const FIRST = '0/0000000000000001-0000000000000001.ltx';
const SNAPSHOT = '9/0000000000000001-0000000000000001.ltx';

interface Scene {
  readonly database: string;
  readonly config: string;
  readonly folders: readonly string[];
}

/** A database, backed up to three folders by a replicator that has ended. */
async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 5);
  const folders = NAMES.map((name) => path.join(folder, name));
  const replicas = folders.map((at, index) => `{ path: ${at}, name: ${NAMES[index]} }`).join(', ');
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs: [{ path: ${database}, replicas: [${replicas}] }]\n`,
  );
  const { code } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code).toBe(0);
  return { database, config, folders };
}

function fileOf({ folders }: Scene, index: number, name: string): string {
  return path.join(folders[index] ?? '', 'ltx', name);
}

interface Row {
  readonly result: string;
  readonly destinations: readonly {
    readonly replica: string;
    readonly copied: readonly { readonly file: string; readonly from: string }[];
    readonly damaged: readonly { readonly file: string; readonly code: string }[];
  }[];
}

test('three folders, each with other losses, are refilled, and each restores alone', async () => {
  const at = await scene();
  const names = [FIRST, SNAPSHOT];
  for (const name of names) fs.rmSync(fileOf(at, 0, name));
  for (const name of names) fs.truncateSync(fileOf(at, 1, name), 150);
  const dry = await sluice(['repair', '-dry-run', '-config', at.config]);
  expect(dry).toMatchObject({ code: EXIT_CODES.notMended });
  expect(dry.stdout).toMatch(/one \(.*\): 0 files, lacked 1 moment, 1 file to copy/);
  expect(dry.stdout).toMatch(
    /two \(.*\): 2 files, lacked 1 moment, 2 files damaged, 2 files to copy/,
  );
  expect(dry.stdout).toContain(': it is damaged');
  expect(fs.existsSync(fileOf(at, 0, FIRST))).toBe(false);

  const { code, stdout } = await sluice(['repair', '-json', '-config', at.config, at.database]);
  const [row] = JSON.parse(stdout) as [Row];
  expect(code).toBe(0);
  expect(row.result).toBe('mended');
  expect(row.destinations.map(({ copied }) => copied.length)).toEqual([1, 2, 0]);
  for (const [index, folder] of at.folders.entries()) {
    const output = path.join(folder, `${index}.db`);
    const restored = await sluice(['restore', '-o', output, `file://${folder}`]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(fs.statSync(output).size).toBeGreaterThan(0);
  }
  const again = await sluice(['repair', '-config', at.config]);
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(/three \(.*\): 2 files, lacks nothing/);
});

test('a flipped bit is named and mended, and the replicator continues without a snapshot', async () => {
  const at = await scene();
  const file = fileOf(at, 1, SNAPSHOT);
  const bytes = fs.readFileSync(file);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
  const { code, stdout } = await sluice(['repair', '-read-data', '-config', at.config]);
  expect(code).toBe(0);
  expect(stdout).toContain(`${SNAPSHOT} (LTX_`);
  expect(stdout).toMatch(/it was damaged/);
  expect(fs.readFileSync(file)).toEqual(fs.readFileSync(fileOf(at, 0, SNAPSHOT)));

  addRows(at.database, 1);
  const replicated = await runProcess(['replicate', '-once', '-config', at.config]);
  expect(replicated.code, replicated.stderr).toBe(0);
  expect(fs.readdirSync(path.join(at.folders[1] ?? '', 'ltx', '9'))).toHaveLength(1);
});

test('a destination that is gone is named, the others are repaired, and the exit code says why', async () => {
  const at = await scene();
  fs.rmSync(fileOf(at, 1, FIRST));
  fs.rmSync(fileOf(at, 1, SNAPSHOT));
  fs.rmSync(at.folders[2] ?? '', { recursive: true });
  fs.writeFileSync(at.folders[2] ?? '', 'not a folder');
  const { code, stdout } = await sluice(['repair', '-config', at.config]);
  expect(stdout).toMatch(/! three was not examined: /);
  expect(fs.readdirSync(path.join(at.folders[1] ?? '', 'ltx'), { recursive: true })).toContain(
    FIRST,
  );
  expect(code).not.toBe(0);
});

test('a folder that has lost everything may be an unmounted disk: nothing is written there until reseed', async () => {
  const at = await scene();
  const [folder = ''] = at.folders;
  fs.rmSync(folder, { recursive: true });
  for (const mode of [['-dry-run'], ['-read-data'], []]) {
    const { code, stdout } = await sluice(['repair', ...mode, '-config', at.config]);
    expect(stdout).toContain('! one was not examined: ');
    expect(code).toBe(EXIT_CODES.unreachable);
    expect(fs.existsSync(folder)).toBe(false);
  }
  const reseeded = await sluice(['reseed', '-config', at.config, 'one']);
  expect(reseeded.code, reseeded.stderr).toBe(0);
  const { code, stdout } = await sluice(['repair', '-config', at.config]);
  expect(stdout).toMatch(/one \(.*\): 1 file, lacked 1 moment, 1 file copied/);
  expect(code).toBe(EXIT_CODES.ok);
});

test.each(['0/3', '4/3', 'x', '1/99999'])('-read-data=%s is refused', async (part) => {
  const { code, stderr } = await sluice(['repair', `-read-data=${part}`]);
  expect(code).toBe(EXIT_CODES.usage);
  expect(stderr).toContain('-read-data is a part and their number');
});

test('an empty folder that had files stays empty: its disk may not be mounted, until reseed', async () => {
  const at = await scene();
  const mountPoint = at.folders[1] ?? '';
  const isFilled = (): boolean => fs.existsSync(fileOf(at, 1, FIRST));
  fs.rmSync(mountPoint, { recursive: true });
  for (const state of ['missing', 'empty']) {
    if (state === 'empty') fs.mkdirSync(mountPoint);
    for (const flags of [['-dry-run'], []]) {
      const { code, stdout } = await sluice(['repair', ...flags, '-config', at.config]);
      expect(code, stdout).toBe(EXIT_CODES.unreachable);
      expect(stdout).toMatch(/! two was not examined: .*is the disk of .* mounted\?/);
      expect(isFilled()).toBe(false);
    }
  }
  const reseed = await sluice(['reseed', '-config', at.config, 'two']);
  expect(reseed.code, reseed.stderr).toBe(0);
  const { code, stdout } = await sluice(['repair', '-config', at.config]);
  expect(code, stdout).toBe(0);
  expect(isFilled()).toBe(true);
});

test('a state that was sent and is missing everywhere is not passed over', async () => {
  const at = await scene();
  addRows(at.database, 1);
  expect((await runProcess(['replicate', '-once', '-config', at.config])).code).toBe(0);
  const second = '0/0000000000000002-0000000000000002.ltx';
  for (const index of NAMES.keys()) fs.rmSync(fileOf(at, index, second));
  const tail = await sluice(['repair', '-config', at.config]);
  expect(tail.code, tail.stdout).toBe(EXIT_CODES.notMended);
  expect(tail.stdout).toMatch(/! three: .* cannot be restored, only TXID 0000000000000001: /);

  for (const index of NAMES.keys()) fs.rmSync(fileOf(at, index, ''), { recursive: true });
  const all = await sluice(['repair', '-config', at.config]);
  expect(all.code, all.stdout).toBe(EXIT_CODES.notMended);
  expect(all.stdout).toMatch(/! three: the newest state cannot be restored, and no other: /);
});
