/** `sluice restore` from several destinations together. */

import fs from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { expect, test, vi } from 'vitest';
import { addRows, countRows, imageOf } from '../support/database.ts';
import { runProcess } from '../support/process.ts';
import { rowsAt, scene } from '../support/scene.ts';
import { sluice } from '../support/shell.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const NAMES = ['a', 'b', 'c'] as const;

interface Backups {
  readonly config: string;
  readonly database: string;
  readonly folders: readonly string[];
}

/** Three destinations with a snapshot and the files of three more runs. */
async function newBackups(): Promise<Backups> {
  const { database, folder } = scene(10);
  const folders = NAMES.map((name) => path.join(folder, name));
  const replicas = NAMES.map((name) => ({ name, path: path.join(folder, name) }));
  const config = writeFile(
    folder,
    'sluice.yml',
    stringify({ dbs: [{ path: database, replicas }] }),
  );
  for (let run = 0; run < 4; run += 1) {
    const { code, stdout } = await runProcess(['replicate', '-once', '-config', config]);
    expect(code, stdout).toBe(0);
    addRows(database, 5);
  }
  const { code, stdout } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code, stdout).toBe(0);
  return { config, database, folders };
}

/**
 * Every file survives at one of the destinations; the others lack it, or have it damaged. 'lacking':
 * all others lack it, so that a listing already shows that none of them is complete.
 */
function shred(folders: readonly string[], how: 'lacking' | 'lacking or damaged'): void {
  const [first = ''] = folders;
  const names = (fs.readdirSync(first, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.ltx'),
  );
  expect(names.length).toBeGreaterThan(4);
  for (const [index, name] of names.sort().entries()) {
    for (const [place, folder] of folders.entries()) {
      const file = path.join(folder, name);
      if (place === index % folders.length || !fs.existsSync(file)) continue;
      if (place % 2 === 0 || how === 'lacking') fs.rmSync(file);
      else fs.truncateSync(file, fs.statSync(file).size - 9);
    }
  }
}

test('destinations that cannot be restored alone are restored together, and the report says how', async () => {
  const { config, database, folders } = await newBackups();
  shred(folders, 'lacking or damaged');
  const output = path.join(temporaryFolder(), 'restored.db');
  const words = ['restore', '-config', config, '-o', output, '-json', database];
  const { code, stdout, stderr } = await sluice(words);
  expect(code, stderr).toBe(0);
  expect(imageOf(output)).toEqual(imageOf(database));
  const report = JSON.parse(stdout) as {
    sources: { replica: string; files: number }[];
    left_out: { replica: string; code: string }[];
  };
  expect(report.sources.length).toBeGreaterThan(1);
  // In a listing, the shorter files of b look whole.
  expect(report.left_out.map(({ replica }) => replica).sort()).toEqual(['a', 'c']);
  expect(stderr).toMatch(/a cannot be restored alone, and others complete it: /);
});

test('a plan over several destinations says from where each file comes', async () => {
  const { config, database, folders } = await newBackups();
  shred(folders, 'lacking');
  const output = path.join(temporaryFolder(), 'restored.db');
  const plan = await sluice(['restore', '-config', config, '-o', output, '-dry-run', database]);
  expect(plan.stdout).toMatch(/ bytes {2}[abc]$/m);
});

test('a destination that cannot be reached does not prevent it', async () => {
  const { config, database, folders } = await newBackups();
  shred(folders, 'lacking or damaged');
  const endpoint = await closedEndpoint();
  const gone = { name: 'gone', url: 's3://b/p', endpoint, region: 'x' };
  const keys = { 'access-key-id': 'a', 'secret-access-key': 'bbbbbbbb' };
  const replicas = [
    ...NAMES.map((name, index) => ({ name, path: folders[index] })),
    { ...gone, ...keys },
  ];
  fs.writeFileSync(config, stringify({ dbs: [{ path: database, replicas }] }));
  const output = path.join(temporaryFolder(), 'restored.db');
  const { code, stderr } = await sluice(['restore', '-config', config, '-o', output, database]);
  expect(code, stderr).toBe(0);
  expect(imageOf(output)).toEqual(imageOf(database));
  expect(stderr).toMatch(/gone is left out: /);
});

test('a copied backup, with new times and in another order, is restored and continued', async () => {
  const { database, backup, folder } = scene(7);
  const once = async (to: string): Promise<string> => {
    const { code, stdout } = await runProcess(['replicate', '-once', database, `file://${to}`]);
    expect(code, stdout).toBe(0);
    return stdout;
  };
  await once(backup);
  addRows(database, 3);
  await once(backup);
  const copy = path.join(folder, 'copy');
  fs.cpSync(backup, copy, { recursive: true, preserveTimestamps: false });
  const files = (fs.readdirSync(copy, { recursive: true }) as string[]).sort().toReversed();
  for (const [index, name] of files.entries()) {
    const at = new Date(Date.now() - 60_000 + 1_000 * index); // the newest file has the oldest time
    fs.utimesSync(path.join(copy, name), at, at);
  }
  expect(await rowsAt(copy)).toBe(10);
  addRows(database, 2);
  await once(copy);
  expect(await rowsAt(copy)).toBe(12);
  expect(countRows(database)).toBe(12);
});
