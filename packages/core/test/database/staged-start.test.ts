/** A start handles any contents of the staging folder, and continues if it can. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { StagedEvent } from '../../src/database/events.ts';
import { Watched } from './watched.ts';

/** Leaves three staged files of an earlier run: an image and two increments. */
async function withThreeStaged(): Promise<Watched> {
  const watched = new Watched();
  watched.commit(5_000);
  const engine = watched.start();
  await watched.next('staged');
  for (let commit = 0; commit < 2; commit++) {
    watched.commit(5_000);
    await engine.sync();
  }
  await engine.close();
  expect(watched.staged()).toHaveLength(3);
  return watched;
}

const hasTXID =
  (txid: bigint) =>
  (event: StagedEvent): boolean =>
    event.file.maxTXID === txid;

test.for([
  ['empty', () => Buffer.alloc(0)],
  ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
  ['another file', () => Buffer.alloc(300, 'x')],
  ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)])],
  ['changed in the middle', (bytes: Buffer) => flip(bytes, bytes.length >> 1)],
  ['changed in its header', (bytes: Buffer) => flip(bytes, 24)],
] as const)(
  'a newest staged file that is %s is removed, and an image is taken above it',
  async ([, damage]) => {
    const watched = await withThreeStaged();
    const file = watched.stagedPath(-1);
    fs.writeFileSync(file, damage(fs.readFileSync(file)));
    const from = watched.events.length;
    watched.start();
    const opened = await watched.next('opened', () => true, from);
    expect(opened.proved).toBeUndefined();
    expect(opened.staged.map(({ file: { maxTXID } }) => maxTXID)).toEqual([1n, 2n]);
    expect(opened.lastTXID).toBe(3n);
    const notice = await watched.next('notice', () => true, from);
    expect(notice.message).toContain(`removing the damaged staged file ${file}: `);
    const image = await watched.next('staged', hasTXID(4n), from);
    expect(image.content).toBe('image');
  },
);

test('a staged file that is removed during startup is skipped', async () => {
  const watched = await withThreeStaged();
  const removed = watched.stagedPath(0);
  fs.rmSync(removed);
  fs.symlinkSync('gone', removed); // its name is listed, but the file is missing
  const from = watched.events.length;
  watched.start();
  const opened = await watched.next('opened', () => true, from);
  expect(opened.staged.map(({ file: { maxTXID } }) => maxTXID)).toEqual([2n, 3n]);
  expect(opened.proved).toBe(3n);
});

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
}

test('a damaged older staged file is removed, and replication resumes', async () => {
  const watched = await withThreeStaged();
  fs.truncateSync(watched.stagedPath(1), 200);
  const from = watched.events.length;
  watched.start();
  const opened = await watched.next('opened', () => true, from);
  expect(opened.proved).toBe(3n);
  expect(opened.staged.map(({ file: { maxTXID } }) => maxTXID)).toEqual([1n, 3n]);
});

test('files that every destination has are not read whole', async () => {
  const watched = await withThreeStaged();
  const file = watched.stagedPath(-1);
  fs.writeFileSync(file, flip(fs.readFileSync(file), fs.statSync(file).size >> 1));
  const from = watched.events.length;
  watched.start({ sentEverywhere: 3n });
  const opened = await watched.next('opened', () => true, from);
  expect(opened.staged).toHaveLength(3);
});

test.for(['', 'damaged', '00000000000000zz'])(
  'an invalid image marker "%s" removes all staged files',
  async (marker) => {
    const watched = await withThreeStaged();
    fs.writeFileSync(path.join(watched.metaPath, 'imaging'), marker);
    const from = watched.events.length;
    watched.start();
    const opened = await watched.next('opened', () => true, from);
    expect(opened).toMatchObject({ proved: undefined, staged: [], lastTXID: 3n });
    expect(await watched.next('staged', hasTXID(4n), from)).toMatchObject({ content: 'image' });
  },
);

test('an unusable staging folder is a failure with a next step, and is retried', async () => {
  const watched = new Watched();
  watched.commit();
  fs.writeFileSync(watched.metaPath, 'a file');
  watched.start();
  expect(await watched.next('failed')).toMatchObject({
    code: 'STAGING_FAILED',
    message: expect.stringMatching(/^open the staging folder .*meta: .*or set meta-path$/),
  });
  fs.rmSync(watched.metaPath);
  await watched.next('staged');
});

test('an unusable database path is a failure, and is retried', async () => {
  const watched = new Watched();
  fs.symlinkSync(watched.path, watched.path);
  watched.start();
  expect((await watched.next('failed')).message).toContain('ELOOP');
  fs.rmSync(watched.path);
  watched.commit();
  await watched.next('staged');
});

test('staged files are read one at a time, so their number can exceed the limit of open files', async () => {
  const watched = await withThreeStaged();
  const staged = watched.stagedPath(-1);
  const folder = path.join(watched.folder, 'many');
  fs.mkdirSync(folder);
  const script = `
    import fs from 'node:fs';
    import { checkStaged } from '${path.resolve('packages/core/src/database/staging/staged-check.ts')}';
    import { createKernel } from '${path.resolve('packages/core/src/kernel/kernel.ts')}';
    import { systemClock } from '${path.resolve('packages/core/src/clock.ts')}';
    import { systemFiles } from '${path.resolve('packages/core/src/file-system.ts')}';
    const { size: sizeBytes } = fs.statSync('${staged}');
    const file = { level: 0, minTXID: 3n, maxTXID: 3n, sizeBytes, path: '${staged}' };
    const { found, damaged } = await checkStaged(
      Array.from({ length: 400 }, () => file),
      { kernel: createKernel(), clock: systemClock, files: systemFiles, depthOf: () => 'ends' },
    );
    console.log(found.length, damaged.length);`;
  const limited = 'ulimit -n 100; exec "$0" --input-type=module --eval "$1"';
  const output = execFileSync('sh', ['-c', limited, process.execPath, script], {
    encoding: 'utf8',
  });
  expect(output.trim()).toBe('400 0');
});
