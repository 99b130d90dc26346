/** Servers that cannot replace a file in one step, with failures in each step. */

import { describe, expect, test } from 'vitest';
import { isError, type ErrorCode } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import { plant, startFakeServer, tree, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, readText, ref, ROOT } from './fixtures.ts';

const FILE = ref(0, 1);
const F = '0000000000000001-0000000000000001.ltx';
const ASIDE = `ltx/0/${F}.sluice-aside`;
const HOUR_MS = 3_600_000;

async function codeOf(work: Promise<unknown>): Promise<ErrorCode | 'done'> {
  return await work.then(
    () => 'done' as const,
    (error: unknown) => {
      if (isError(error)) return error.code;
      throw error;
    },
  );
}

async function files(client: Replica): Promise<string[]> {
  const listed = await Array.fromAsync(client.listFiles('all'));
  return listed.map(({ level, minTXID, sizeBytes }) => `${level}/${minTXID}: ${sizeBytes}`);
}

function kinds(fake: FakeServer, kind: string): number {
  return fake.requests.filter((request) => request.kind === kind).length;
}

describe.each([4, 11])('a server that answers %i to a rename to an existing name', (code) => {
  test('the new file replaces the old one and nothing else is left', async () => {
    const fake = await startFakeServer();
    fake.renameOntoTaken = code;
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(FILE, bodyOf('the old one'));
    await client.writeFile(FILE, bodyOf('the new one, longer'));
    expect(await readText(client, FILE)).toBe('the new one, longer');
    expect(tree(fake, ROOT)).toEqual(['.sluice-root', `ltx/0/${F}`]);
  });

  test('nothing is renamed if the bytes are the same', async () => {
    const fake = await startFakeServer();
    fake.renameOntoTaken = code;
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(FILE, bodyOf('the very same'));
    const before = kinds(fake, 'RENAME');
    await client.writeFile(FILE, bodyOf('the very same'));
    expect(kinds(fake, 'RENAME') - before).toBe(1); // the one that was refused
    expect(tree(fake, ROOT)).toEqual(['.sluice-root', `ltx/0/${F}`]);
    await client.writeFile(FILE, bodyOf('the very sama'));
    expect(await readText(client, FILE)).toBe('the very sama');
  });

  test('if-absent is a conflict', async () => {
    const fake = await startFakeServer();
    fake.renameOntoTaken = code;
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(FILE, bodyOf('the old one'));
    const refused = client.writeFile(FILE, bodyOf('another'), { condition: 'if-absent' });
    expect(await codeOf(refused)).toBe('REPLICA_CONFLICT');
    expect(await readText(client, FILE)).toBe('the old one');
    expect(tree(fake, ROOT)).toEqual(['.sluice-root', `ltx/0/${F}`]);
  });
});

test('the old file is renamed back if the rename of the new one fails', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(FILE, bodyOf('the old one'));
  const isLast = (path: string): boolean =>
    path.includes('-tmp ') && tree(fake, ROOT).includes(ASIDE);
  fake.intercept = ({ kind, path }) => (kind === 'RENAME' && isLast(path) ? 3 : undefined);
  const code = await codeOf(client.writeFile(FILE, bodyOf('the new one')));
  expect(code).toBe('REPLICA_PERMISSION_DENIED');
  expect(await readText(client, FILE)).toBe('the old one');
  expect(tree(fake, ROOT)).toEqual(['.sluice-root', `ltx/0/${F}`]);
});

test('a write succeeds on a server that refuses to set times', async () => {
  const fake = await startFakeServer();
  fake.intercept = ({ kind }) => (kind.endsWith('SETSTAT') ? 8 : undefined);
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(FILE, bodyOf('the old one'));
  await client.writeFile(FILE, bodyOf('the new one'));
  expect(await readText(client, FILE)).toBe('the new one');
});

describe('an aside file', () => {
  test('is read under its old name, and a reader changes nothing', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside', 25 * HOUR_MS);
    const client = new Replica(await connectTo(fake, { access: 'read' }), ROOT);
    expect(await files(client)).toEqual(['0/1: 11']);
    expect(await readText(client, FILE)).toBe('moved aside');
    expect(tree(fake, ROOT)).toEqual([ASIDE]);
  });

  test('is renamed back after ten minutes, not earlier: replication may be running', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside', 9 * 60_000);
    const client = new Replica(await connectTo(fake), ROOT);
    expect(await files(client)).toEqual(['0/1: 11']);
    expect(tree(fake, ROOT)).toEqual([ASIDE]);
    for (const ageMs of [11 * 60_000, 25 * HOUR_MS]) {
      plant(fake, `${ROOT}/${ASIDE}`, 'moved aside', ageMs);
      expect(await files(client)).toEqual(['0/1: 11']);
      expect(tree(fake, ROOT)).toEqual([`ltx/0/${F}`]);
      expect(await readText(client, FILE)).toBe('moved aside');
      await client.deleteFiles([FILE]);
    }
  });

  test('has the age of its rename, not of its content', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/ltx/0/${F}`, 'written long ago', 100 * HOUR_MS);
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(ref(0, 2), bodyOf('x'));
    const isMoving = (path: string): boolean => path.endsWith('.sluice-aside');
    fake.intercept = ({ kind, path }) =>
      kind === 'RENAME' && isMoving(path) ? 'lost-after' : undefined;
    expect(await codeOf(client.writeFile(FILE, bodyOf('new')))).toBe('REPLICA_UNAVAILABLE');
    fake.intercept = () => undefined;
    const other = new Replica(await connectTo(fake), ROOT);
    expect(await files(other)).toEqual(['0/1: 16', '0/2: 1']);
    expect(tree(fake, ROOT)).toContain(ASIDE);
    expect(await readText(other, FILE)).toBe('written long ago');
  });

  test('counts as the file: if-absent is a conflict', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside');
    const client = new Replica(await connectTo(fake), ROOT);
    const refused = client.writeFile(FILE, bodyOf('another'), { condition: 'if-absent' });
    expect(await codeOf(refused)).toBe('REPLICA_CONFLICT');
  });

  test('is deleted with the file', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside');
    plant(fake, `${ROOT}/ltx/0/${F}`, 'and replaced');
    const client = new Replica(await connectTo(fake), ROOT);
    await client.deleteFiles([FILE]);
    expect(await files(client)).toEqual([]);
    expect(tree(fake, ROOT)).toEqual([]);
  });

  test('is ignored if the file exists, and removed after a day', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside', 23 * HOUR_MS);
    plant(fake, `${ROOT}/ltx/0/${F}`, 'and replaced');
    const client = new Replica(await connectTo(fake), ROOT);
    expect(await readText(client, FILE)).toBe('and replaced');
    expect(await files(client)).toEqual(['0/1: 12']);
    expect(tree(fake, ROOT)).toHaveLength(2);
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside', 25 * HOUR_MS);
    expect(await files(client)).toEqual(['0/1: 12']);
    expect(tree(fake, ROOT)).toEqual([`ltx/0/${F}`]);
  });

  test('is overwritten by the next aside file', async () => {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${ASIDE}`, 'moved aside');
    plant(fake, `${ROOT}/ltx/0/${F}`, 'and replaced');
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(FILE, bodyOf('again'));
    expect(await readText(client, FILE)).toBe('again');
    expect(tree(fake, ROOT)).toEqual(['.sluice-root', `ltx/0/${F}`]);
  });
});

describe('temporary files of a killed process', () => {
  const young = `ltx/0/${F}.1.sluice-tmp`;
  const old = `ltx/0/${F}.2.sluice-tmp`;
  const litestreams = `ltx/0/${F}.3.tmp`;

  async function planted(): Promise<FakeServer> {
    const fake = await startFakeServer();
    plant(fake, `${ROOT}/${young}`, 'x', 23 * HOUR_MS);
    plant(fake, `${ROOT}/${old}`, 'x', 25 * HOUR_MS);
    plant(fake, `${ROOT}/${litestreams}`, 'x', 100 * HOUR_MS);
    return fake;
  }

  test('are removed after a day, but no other files are', async () => {
    const fake = await planted();
    expect(await files(new Replica(await connectTo(fake), ROOT))).toEqual([]);
    expect(tree(fake, ROOT)).toEqual([young, litestreams]);
  });

  test('are not removed by a reader', async () => {
    const fake = await planted();
    expect(await files(new Replica(await connectTo(fake, { access: 'read' }), ROOT))).toEqual([]);
    expect(tree(fake, ROOT)).toEqual([young, old, litestreams]);
    expect(kinds(fake, 'REMOVE') + kinds(fake, 'RENAME') + kinds(fake, 'MKDIR')).toBe(0);
  });

  test('have the age of their upload, even if their mtime is already that of the transaction', async () => {
    const fake = await startFakeServer();
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(ref(0, 2), bodyOf('x'));
    // Before the rename, the mtime of the temporary file is in 2023.
    let seen: string[] = [];
    fake.intercept = ({ kind }) => {
      if (kind === 'RENAME' && seen.length === 0) seen = tree(fake, ROOT);
      return kind === 'RENAME' || kind === 'REMOVE' ? 3 : undefined;
    };
    expect(await codeOf(client.writeFile(FILE, bodyOf('x')))).toBe('REPLICA_PERMISSION_DENIED');
    fake.intercept = () => undefined;
    expect(seen.filter((name) => name.endsWith('-tmp'))).toHaveLength(1);
    const before = tree(fake, ROOT);
    await files(new Replica(await connectTo(fake), ROOT));
    expect(tree(fake, ROOT)).toEqual(before);
  });
});
