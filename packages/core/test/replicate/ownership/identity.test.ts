/** The ID of a replicator, and what is known about where its database comes from. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeFolders, readBytes, systemFiles, type FileSystem } from '../../../src/file-system.ts';
import { systemRandom } from '../../../src/random.ts';
import { Identity, recordRestored } from '../../../src/replicate/ownership/identity.ts';
import { MemoryFiles } from '../../support/memory-file-system.ts';
import { temporaryFolder } from '../../restore/temporary.ts';

const FROM = { owner: '00000000000000aa', highest: 7n };
const BESIDE = '.app.db-sluice-id';

interface Machine {
  readonly database: string;
  readonly metaPath: string;
}

function machine(): Machine {
  const folder = temporaryFolder();
  const metaPath = path.join(folder, '.app.db-sluice');
  fs.mkdirSync(metaPath);
  const database = path.join(folder, 'app.db');
  fs.writeFileSync(database, 'pages');
  return { database, metaPath };
}

function identity({ database, metaPath }: Machine, files: FileSystem = systemFiles): Identity {
  return new Identity({
    path: database,
    metaPath,
    files,
    random: systemRandom,
    machine: { host: 'web1', machine: undefined },
    onProblem: (error) => {
      throw error;
    },
  });
}

test('the ID stays for all runs, and a run has the same number all the time', async () => {
  const at = machine();
  const first = identity(at);
  const { id, run } = await first.self();
  expect(await first.self()).toMatchObject({ id, run });
  const next = await identity(at).self();
  expect(next.id).toBe(id);
  expect(next.run).not.toBe(run);
  expect((await identity(machine()).self()).id).not.toBe(id);
});

test.for(['the staging folder', 'the file beside the database'])(
  'the ID survives the loss of %s',
  async (lost) => {
    const at = machine();
    const { id } = await identity(at).self();
    const beside = path.join(path.dirname(at.database), BESIDE);
    if (lost === 'the staging folder') {
      fs.rmSync(at.metaPath, { recursive: true });
      fs.mkdirSync(at.metaPath);
    } else fs.writeFileSync(beside, '{"id": "torn');
    expect((await identity(at).self()).id).toBe(id);
    expect(JSON.parse(fs.readFileSync(beside, 'utf8'))).toEqual({ id });
    expect(fs.readFileSync(path.join(at.metaPath, 'id'), 'utf8')).toBe(`${id}\n`);
  },
);

test('a restored database is known as such, also after its application has written to it', async () => {
  const at = machine();
  await recordRestored(at.database, FROM);
  const { id, restored } = await identity(at).self();
  expect(restored).toEqual(FROM);
  fs.appendFileSync(at.database, 'more pages');
  expect(await identity(at).self()).toMatchObject({ id, restored: FROM });
});

test('a restored database is known as such after its device got another number', async () => {
  const at = machine();
  await recordRestored(at.database, FROM);
  const beside = path.join(path.dirname(at.database), BESIDE);
  const text = fs.readFileSync(beside, 'utf8');
  const { restored } = JSON.parse(text) as { restored: { file: { device: string } } };
  fs.writeFileSync(beside, text.replace(`"${restored.file.device}"`, '"1234567"'));
  expect((await identity(at).self()).restored).toEqual(FROM);
});

test('the ID stays if the folder is reached by a symbolic link', async () => {
  const at = machine();
  const { id } = await identity(at).self();
  const link = path.join(temporaryFolder(), 'link');
  fs.symlinkSync(path.dirname(at.database), link);
  const linked = { database: path.join(link, 'app.db'), metaPath: temporaryFolder() };
  expect((await identity(linked).self()).id).toBe(id);
});

test('another file with the name of the restored one is not the restored one', async () => {
  const at = machine();
  await recordRestored(at.database, FROM);
  fs.writeFileSync(`${at.database}.new`, 'pages');
  fs.renameSync(`${at.database}.new`, at.database);
  expect((await identity(at).self()).restored).toBeUndefined();
  fs.rmSync(at.database);
  expect((await identity(at).self()).restored).toBeUndefined();
});

test('an ID that can neither be read nor written is an error, and the next call tries again', async () => {
  const at = machine();
  const { metaPath } = at;
  fs.rmSync(metaPath, { recursive: true });
  fs.writeFileSync(metaPath, 'not a folder');
  const self = identity(at);
  await expect(self.self()).rejects.toMatchObject({ code: 'STAGING_FAILED' });
  fs.rmSync(metaPath);
  fs.mkdirSync(metaPath);
  expect((await self.self()).id).toMatch(/^[0-9a-f]{16}$/);
});

test('the ID survives a power loss, and then the loss of the staging folder', async () => {
  const files = new MemoryFiles();
  await makeFolders(files, '/data/.app.db-sluice');
  const at = { database: '/data/app.db', metaPath: '/data/.app.db-sluice' };
  const { id } = await identity(at, files).self();
  files.crash();
  expect(Buffer.from((await readBytes(files, `${at.metaPath}/id`)) ?? []).toString()).toBe(
    `${id}\n`,
  );
  await files.remove(at.metaPath);
  await makeFolders(files, at.metaPath);
  expect((await identity(at, files).self()).id).toBe(id);
});

test('a full disk beside the database is an error until there is room: nothing is owned without it', async () => {
  let isFull = true;
  const files = new MemoryFiles({
    before: (call, file) => {
      if (isFull && call === 'append' && file.includes('-sluice-id')) {
        throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      }
    },
  });
  await makeFolders(files, '/data/.app.db-sluice');
  const self = identity({ database: '/data/app.db', metaPath: '/data/.app.db-sluice' }, files);
  await expect(self.self()).rejects.toMatchObject({ code: 'STAGING_FULL' });
  isFull = false;
  expect((await self.self()).id).toMatch(/^[0-9a-f]{16}$/);
});
