/** Repair beside a replicator that writes, a destination that refuses, and files that cannot be read. */

import { expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { repair } from '../../src/repair/repair.ts';
import { outcomeOf } from '../../src/repair/report.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import type { RepairTarget } from '../../src/repair/repair.ts';
import { newKeys } from '../encryption/keys.ts';
import { at, bytesAt, LINEAGE, makeFiles, placesWith, spoil } from './scene.ts';
import { databasesAt, Place, type MadeFile } from './shredded.ts';

const keys = await newKeys();

/** The same destination, with some calls changed. */
function changed(
  target: RepairTarget,
  change: (client: ReplicaFiles) => Promise<Partial<ReplicaFiles>>,
): RepairTarget {
  return {
    ...target,
    async open(signal) {
      const opened = await target.open(signal);
      const { client } = opened;
      const unchanged: ReplicaFiles = {
        listFiles: client.listFiles.bind(client),
        openFile: client.openFile.bind(client),
        writeFile: client.writeFile.bind(client),
        deleteFiles: client.deleteFiles.bind(client),
      };
      return { ...opened, client: { ...unchanged, ...(await change(client)) } };
    },
  };
}

const THEIRS = new TextEncoder().encode('written by somebody else');

test('a damaged file that somebody replaces meanwhile is not overwritten', async () => {
  const { files } = makeFiles(4);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  const second = files[2] as MadeFile;
  spoil(b, second);
  const target = changed(b.target(), async (client) => ({
    writeFile: async (file, body, options) => {
      b.store.put(b.key(second), THEIRS, { modifiedAt: new Date() });
      return await client.writeFile(file, body, options);
    },
  }));
  await repair({ destinations: [a.target(), target], mode: 'mend', read: 'ends' });
  expect(bytesAt(b, second)).toEqual(THEIRS);
});

test('a file that was mended meanwhile is left alone', async () => {
  const { files } = makeFiles(4);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  const second = files[2] as MadeFile;
  const whole = bytesAt(b, second) as Uint8Array;
  spoil(b, second);
  let copies = 0;
  // Only a copy reads a range of a small file.
  const target = changed(a.target(), async (client) => ({
    openFile: async (file, options) => {
      if (options?.range !== undefined) {
        copies += 1;
        b.store.put(b.key(second), whole, { modifiedAt: new Date() });
      }
      return await client.openFile(file, options);
    },
  }));
  const large = files.shift() as MadeFile; // its end is a range too
  for (const place of [a, b]) place.remove(large);
  const report = await repair({ destinations: [target, b.target()], mode: 'mend', read: 'ends' });
  expect(copies).toBe(1);
  expect(at(report, 'b').copies).toEqual([]);
  expect(bytesAt(b, second)).toEqual(whole);
});

test.each([{ capabilities: undefined }, { capabilities: { ranges: true } as const }])(
  'a missing name that is taken meanwhile is not overwritten, with %j',
  async ({ capabilities }) => {
    const { files } = makeFiles(4);
    const [a] = (await placesWith(files, 'a')) as [Place];
    const b = new Place('b', { capabilities });
    const second = files[2] as MadeFile;
    await b.write(files.filter((file) => file !== second));
    const target = changed(b.target(), async (client) => {
      const listed = await Array.fromAsync(client.listFiles('all'));
      b.store.put(b.key(second), THEIRS, { modifiedAt: new Date() });
      return {
        async *listFiles() {
          yield* listed;
        },
      };
    });
    await repair({ destinations: [a.target(), target], mode: 'mend', read: 'ends' });
    expect(bytesAt(b, second)).toEqual(THEIRS);
  },
);

test('a refused write is reported, and the other destinations are repaired', async () => {
  const { files } = makeFiles(4);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  b.remove({ level: 0, min: 3, max: 3 });
  const c = changed(new Place('c').target(), async () => ({
    writeFile: async () => {
      throw new ReplicationError('REPLICA_PERMISSION_DENIED', 'put: 403; allow s3:PutObject');
    },
  }));
  const destinations = [a.target(), b.target(), c];
  const report = await repair({ destinations, mode: 'mend', read: 'ends' });
  expect(at(report, 'c').failures).toMatchObject([{ code: 'REPLICA_PERMISSION_DENIED' }]);
  expect(at(report, 'b').copies).toHaveLength(1);
  expect(outcomeOf(report, 'mend')).toBe('open');
});

test('a host that can only encrypt fills an encrypted destination, and says what it could not read', async () => {
  const { history, files } = makeFiles(4);
  const [a] = (await placesWith(files, 'a')) as [Place];
  const writer = new Place('c', { keys: keys.writer });
  await writer.write(files.slice(0, 3));
  const report = await repair({
    destinations: [a.target(), writer.target({ sent: { txid: 4n, lineage: LINEAGE } })],
    mode: 'mend',
    read: 'ends',
  });
  const { copies, unread } = at(report, 'c');
  expect(copies.map(({ file }) => file.maxTXID)).toEqual([3n, 4n]);
  expect(unread[0]).toMatchObject({ code: 'REPLICA_NO_IDENTITY' });
  const reader = new Place('c', { keys: keys.reader });
  for (const [key, stored] of writer.store.objects) reader.store.objects.set(key, stored);
  const databases = await databasesAt(reader);
  expect([...databases.keys()]).toEqual([1, 2, 3, 4]);
  expect(Buffer.compare(databases.get(4) as Uint8Array, history.bytes(4))).toBe(0);
});
