/** Deletes at one destination: when, in which order, after which checks, and what happens if they are refused. */

import { expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import type { Files } from '../support/files-view.ts';
import { newKeys } from '../encryption/keys.ts';
import { refusal, Scene } from './scene.ts';
import { Shelf } from './shelf.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RETENTION = { retentionMs: DAY_MS, l0RetentionMs: 5 * MINUTE_MS, topLevel: 3 };

/** Two days of history: a snapshot, a day of increments, a snapshot, and 26 hours later another commit. */
async function twoDays(options: ConstructorParameters<typeof Shelf>[0] = {}): Promise<Shelf> {
  const shelf = new Shelf({ retention: RETENTION, ...options });
  await shelf.write('0/1-1', '9/1-1');
  shelf.clock.advance(HOUR_MS);
  await shelf.write('0/2-2', '0/3-3');
  shelf.clock.advance(DAY_MS);
  await shelf.write('0/4-4', '9/1-4');
  shelf.clock.advance(26 * HOUR_MS);
  await shelf.write('0/5-5');
  return shelf;
}

test('files older than the retention are deleted, and the snapshot that the window begins with stays', async () => {
  const shelf = await twoDays();
  await shelf.enforce();
  expect(await shelf.names()).toBe('0/5-5 9/1-4');
  expect(shelf.known).toBe('0/5-5 9/1-4');
  expect(shelf.calls).toEqual(['list 9', 'delete 0/1-1 0/2-2 0/3-3 0/4-4 9/1-1']);
  expect(shelf.messages.join('\n')).toMatch(/^info: memory: 5 files, .* deleted: older than 24h/);
  expect(shelf.deleter.contents).toMatchObject({ files: 2, deleted: { files: 5 } });
});

test('nothing is deleted within the hour after it stopped being needed', async () => {
  const shelf = await twoDays();
  shelf.clock.advance(-HOUR_MS - 1);
  await shelf.write('0/6-6');
  await shelf.enforce();
  expect(await shelf.names()).toBe('0/2-2 0/3-3 0/4-4 0/5-5 0/6-6 9/1-1 9/1-4');
  shelf.clock.advance(1);
  await shelf.enforce();
  expect(await shelf.names()).toBe('0/5-5 0/6-6 9/1-4');
});

test('nothing is deleted without a retention, on a guess of the time, or while the destination is not up', async () => {
  const without = await twoDays({ retention: undefined as never });
  await without.enforce();
  expect(without.calls).toEqual([]);

  const shelf = await twoDays();
  shelf.isQuiet = false;
  await shelf.enforce();
  shelf.isQuiet = true;
  shelf.holdings.requireListing();
  await shelf.enforce();
  expect(shelf.calls).toEqual([]);

  const restarted = new Shelf({ retention: RETENTION });
  restarted.list(shelf.holdings.all());
  await restarted.enforce();
  expect(restarted.calls).toEqual([]);
});

test.for(['deleted', 'cut short'])('a snapshot that was %s keeps all others', async (change) => {
  const shelf = await twoDays();
  for (const [key, stored] of shelf.store.objects) {
    if (!key.includes('/9/')) continue;
    if (change === 'deleted') shelf.store.objects.delete(key);
    else shelf.store.objects.set(key, { ...stored, bytes: stored.bytes.subarray(1) });
  }
  await shelf.enforce();
  expect(shelf.calls).toEqual(['list 9']);
  expect(shelf.missing).toBe(1);
  expect(shelf.messages.join('\n')).toMatch(
    /^warn: memory: nothing is deleted.* is no longer listed/,
  );
});

test('a snapshot that cannot be read keeps all others', async () => {
  const shelf = await twoDays();
  for (const [key, stored] of shelf.store.objects) {
    if (!key.includes('/9/')) continue;
    shelf.store.objects.set(key, { ...stored, bytes: new Uint8Array(stored.bytes.length) });
  }
  await shelf.enforce();
  expect(shelf.calls).toEqual(['list 9']);
  expect(shelf.messages.join('\n')).toMatch(
    /^warn: memory: nothing is deleted, because .* cannot be checked/,
  );
});

test.for(['writer', 'reader'] as const)(
  'encrypted files are deleted by a host with the keys of a %s',
  async (host) => {
    const { [host]: keys } = await newKeys();
    const shelf = await twoDays({ keys });
    await shelf.enforce();
    expect(await shelf.names()).toBe('0/5-5 9/1-4');
  },
);

test.for<[string, (shelf: Shelf) => void]>([
  [
    'was cut short before it was listed',
    (shelf) => change(shelf, (bytes) => bytes.subarray(0, -100)),
  ],
  [
    'has another end',
    (shelf) =>
      change(shelf, (bytes) =>
        bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)),
      ),
  ],
  ['was not sent from this staging folder', (shelf) => void (shelf.sealed = [])],
])('an encrypted snapshot that %s keeps all others', async ([, act]) => {
  const { writer: keys } = await newKeys();
  const before = await twoDays({ keys });
  act(before);
  const shelf = new Shelf({ retention: RETENTION, keys, before });
  shelf.list(await Array.fromAsync(shelf.files.listFiles('all')));
  await shelf.write('0/6-6'); // gives the time of the server
  await shelf.deleter.enforceNow();
  expect(await shelf.names()).toBe('0/1-1 0/2-2 0/3-3 0/4-4 0/5-5 0/6-6 9/1-1 9/1-4');
  expect(shelf.messages.join('\n')).toMatch(
    /^warn: memory: nothing is deleted.* cannot be checked: compare level 9 .*: it is encrypted, and not the file/,
  );
});

function change(shelf: Shelf, by: (bytes: Uint8Array) => Uint8Array): void {
  for (const [key, stored] of shelf.store.objects) {
    if (key.includes('/9/')) shelf.store.objects.set(key, { ...stored, bytes: by(stored.bytes) });
  }
}

test.for(['filled with zeros', 'replaced by a plain file'])(
  'an encrypted snapshot that is %s keeps all others',
  async (change) => {
    const { writer: keys } = await newKeys();
    const shelf = await twoDays({ keys });
    for (const [key, stored] of shelf.store.objects) {
      if (!key.includes('/9/')) continue;
      const bytes = new Uint8Array(stored.bytes.length);
      if (change.startsWith('replaced')) bytes.set(Buffer.from('LTX1'));
      shelf.store.objects.set(key, { ...stored, bytes });
    }
    shelf.list(await Array.fromAsync(shelf.files.listFiles('all')));
    await shelf.enforce();
    expect(await shelf.names()).toBe('0/1-1 0/2-2 0/3-3 0/4-4 0/5-5 9/1-1 9/1-4');
  },
);

test('a clock that is ahead when the process starts, and is set right within the hour, deletes nothing', async () => {
  const before = await twoDays();
  const ahead = new Shelf({ retention: RETENTION });
  ahead.list(before.holdings.all());
  const observe = (aheadMs: number): void =>
    ahead.deleter.wrote({ modifiedAt: new Date(ahead.clock.now() + 51 * HOUR_MS + aheadMs) });
  observe(400 * DAY_MS);
  await ahead.enforce();
  expect(ahead.calls).toEqual([]);
  ahead.clock.advance(HOUR_MS);
  await ahead.enforce();
  expect(ahead.calls).toEqual([]);
  observe(-48 * HOUR_MS);
  await ahead.enforce();
  expect(ahead.calls).toEqual([]);
});

test('a deletion on command happens at once, or says why it cannot', async () => {
  const shelf = await twoDays();
  await shelf.deleter.enforceNow();
  expect(await shelf.names()).toBe('0/5-5 9/1-4');
  const restarted = new Shelf({ retention: RETENTION });
  await restarted.deleter.enforceNow();
  expect(restarted.messages).toEqual([
    'info: memory: nothing is deleted: the time of the server is known only after a file was written',
  ]);
  restarted.isQuiet = false;
  await restarted.write('0/1-1');
  await restarted.deleter.enforceNow();
  expect(restarted.messages.at(-1)).toBe('info: memory: nothing is deleted: it is not up to date');
});

test('refused deletes are reported once, and tried again a day later', async () => {
  let isAllowed = false;
  const server = (files: Files): Files => ({
    ...files,
    deleteFiles: async (refs, options) => {
      if (!isAllowed) throw refusal();
      await files.deleteFiles(refs, options);
    },
  });
  const shelf = await twoDays({ server });
  shelf.deleter.start();
  await shelf.until('it is refused', () => shelf.messages.length > 0);
  expect(shelf.messages.join('\n')).toMatch(/^warn: memory: may not delete files .*one try a day/);
  expect(shelf.deleter.contents.refusal).toContain('the server refuses it');
  expect(shelf.known).toContain('0/1-1');
  const before = shelf.calls.length;
  shelf.clock.advance(DAY_MS - 1);
  await shelf.write('0/6-6');
  shelf.deleter.wake();
  await shelf.someTurns();
  expect(shelf.calls).toHaveLength(before);
  shelf.clock.advance(1);
  isAllowed = true;
  shelf.deleter.wake();
  await shelf.until('it is allowed', () => shelf.messages.length > 1);
  expect(shelf.calls.slice(before)).toHaveLength(2);
  expect(shelf.deleter.contents.refusal).toBeUndefined();
  expect(await shelf.names()).toBe('0/5-5 0/6-6 9/1-4');
});

test('only confirmed files leave the known contents', async () => {
  const server = (files: Files): Files => ({
    ...files,
    deleteFiles: async (refs, options) => {
      const [first, ...others] = refs;
      await files.deleteFiles(others, options);
      const file = `db/ltx/${first?.level}/0000000000000001-0000000000000001.ltx`;
      const failures = [{ file, code: 'REPLICA_UNAVAILABLE' as const }];
      throw new ReplicationError('REPLICA_UNAVAILABLE', 'delete: 1 may still be there', {
        failures,
      });
    },
  });
  const shelf = await twoDays({ server });
  await shelf.enforce();
  // Both files of TXID 1 have the name that failed.
  expect(shelf.known).toBe('0/1-1 0/5-5 9/1-1 9/1-4');
  expect(shelf.messages.filter((message) => message.startsWith('warn'))).toHaveLength(1);
});

test('a server that confirms deletes and does nothing is reported once', async () => {
  const server = (files: Files): Files => ({ ...files, deleteFiles: async () => undefined });
  const shelf = await twoDays({ server });
  const before = shelf.holdings.all();
  await shelf.enforce();
  for (let round = 0; round < 2; round += 1) {
    shelf.list(before);
    await shelf.enforce();
  }
  const warnings = shelf.messages.filter((message) => message.startsWith('warn'));
  expect(warnings).toEqual([expect.stringMatching(/confirmed .* but still lists 5 of them/)]);
});

test('a listing that began before a deletion does not bring the files back', async () => {
  const shelf = await twoDays();
  const stale = shelf.holdings.all();
  const listed = { files: stale, top: undefined, pageSize: 512 };
  shelf.holdings.listingBegan();
  await shelf.enforce();
  shelf.holdings.listed({ ...listed, files: FileSet.of(stale) }, () => ({
    chain: 'ours',
    lineage: 1n,
    why: undefined,
  }));
  expect(shelf.known).toBe('0/5-5 9/1-4');
});

test('merged files of level 0 go after an hour, at most once an hour, and an idle destination gets no requests', async () => {
  const shelf = new Shelf({ retention: RETENTION });
  shelf.deleter.start();
  await shelf.write('0/1-1', '9/1-1', '0/2-2', '0/3-3', '1/2-3', '0/4-4');
  shelf.clock.advance(HOUR_MS);
  await shelf.write('0/5-5');
  shelf.deleter.wake();
  await shelf.until('they are deleted', () => shelf.messages.length > 0);
  expect(shelf.calls).toEqual(['list 9', 'list 1', 'delete 0/1-1 0/2-2 0/3-3']);
  expect(shelf.messages.join('\n')).toMatch(/^debug: memory: 3 files, .* merged into larger files/);
  for (let hour = 0; hour < 30; hour += 1) {
    shelf.clock.advance(HOUR_MS);
    shelf.deleter.wake();
    await shelf.someTurns();
  }
  expect(shelf.calls).toHaveLength(3);
  expect(await shelf.names()).toBe('0/4-4 0/5-5 1/2-3 9/1-1');
});

test('a clock of the server that jumps ahead and returns deletes nothing', async () => {
  const shelf = new Shelf({ retention: RETENTION });
  await shelf.write('0/1-1', '9/1-1', '0/2-2');
  shelf.clock.advance(MINUTE_MS);
  await shelf.write('0/3-3', '9/1-3');
  const [late] = shelf.holdings.all();
  shelf.deleter.wrote({ modifiedAt: new Date((late?.modifiedAt.getTime() ?? 0) + 400 * DAY_MS) });
  await shelf.enforce();
  expect(shelf.calls).toEqual([]);
});

test('an uploader deletes beside what it sends, and the rest can be restored', async () => {
  const scene = new Scene({ retention: RETENTION }).start();
  scene.staged.image();
  expect(await scene.drained()).toBe('complete');
  scene.clock.advance(HOUR_MS);
  scene.staged.commit();
  scene.staged.takeSnapshot();
  expect(await scene.drained()).toBe('complete');
  await scene.until('the snapshot is there', () => scene.uploader.newestSnapshot?.txid === 2n);
  scene.later(DAY_MS + HOUR_MS);
  const gone = (): boolean => scene.uploader.deleter.contents.deleted.files > 0;
  await scene.until('files are deleted', gone);
  expect(await scene.names()).toEqual(['0/2-2', '9/1-2']);
  expect(scene.uploader.deleter.contents).toMatchObject({ files: 2, retention: RETENTION });
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  expect(await scene.names()).toEqual(['0/2-2', '0/3-3', '9/1-2']);
  await scene.expectRestored();
});
