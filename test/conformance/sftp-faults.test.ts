/** The SFTP backend with OpenSSH: its requests, cut connections, a full disk. */

import { Destination } from '@sluice/core';
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { readBytes, parseConfig, type ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { backend } from '@sluice/sftp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startFakeServer } from '../../packages/sftp/test/fake-server.ts';
import { connectTo } from '../../packages/sftp/test/fixtures.ts';
import { startCuttingProxy } from '../servers/cutting-proxy.ts';
import { startSshd, type Sshd, type SshdOptions } from '../servers/sshd.ts';
import { describeWith } from '../support/require.ts';
import { assertBytes, bodyOf, readIfPresent, list, pattern, ref, rejectsWith } from './context.ts';

const FILE = ref(0, 1);
const COPY = ref(9, 1);
/** Two parts and a bit. */
const COPIED_BYTES = 2 * 16 * 1024 * 1024 + 5_001;

async function start(options: SshdOptions): Promise<Sshd> {
  const server = await startSshd(options);
  onTestFinished(() => server.stop());
  return server;
}

async function connect(
  { input }: Sshd,
  options: { readonly access?: 'read' | 'write'; readonly port?: string } = {},
): Promise<ReplicaClient> {
  const at = options.port === undefined ? {} : { host: `127.0.0.1:${options.port}` };
  const { config } = parseConfig(backend, { ...input, ...at });
  const { access = 'write' } = options;
  const destination = await backend.connect(config, { access, logger: console });
  onTestFinished(() => destination.close());
  return destination;
}

describeWith(['sshd'], 'sftp, OpenSSH', () => {
  test('a file is fsynced, renamed over the old one in one step, and its folder is fsynced', async () => {
    const server = await start({ as: 'own-user', extensions: 'all', log: 'requests' });
    const replica = new Replica(await connect(server), `${server.root}/r`);
    await replica.writeFile(FILE, bodyOf(pattern(5_000, 1)));
    const before = server.requests().length;
    await replica.writeFile(FILE, bodyOf(pattern(5_000, 2)));
    const file = ['open', 'write', 'fstat', 'fsetstat', 'fsync', 'close', 'posix-rename'];
    const folder = ['open', 'fsync', 'close'];
    // The final stat verifies the name.
    expect(server.requests().slice(before)).toEqual([...file, ...folder, 'stat']);
  });

  test('a copy of several parts has all bytes, and none of them crosses the network', async () => {
    const server = await start({ as: 'own-user', extensions: 'all', log: 'requests' });
    const replica = new Replica(await connect(server), `${server.root}/r`);
    const bytes = pattern(COPIED_BYTES, 1);
    await replica.writeFile(FILE, bodyOf(bytes));
    const before = server.requests().length;
    const { sizeBytes } = (await replica.copyFile?.(FILE, COPY)) ?? {};
    expect(sizeBytes).toBe(COPIED_BYTES);
    const requests = server.requests().slice(before);
    expect(requests).not.toContain('write');
    expect(requests).not.toContain('read');
    assertBytes(await readIfPresent(replica, COPY), bytes);
    const [source, copy] = await list(replica, 'all');
    expect(copy?.sizeBytes).toBe(source?.sizeBytes);
  });

  test('an aborted copy leaves nothing', async () => {
    const server = await start({ as: 'own-user', extensions: 'all' });
    const replica = new Replica(await connect(server), `${server.root}/r`);
    await replica.writeFile(FILE, bodyOf(pattern(COPIED_BYTES, 1)));
    const abort = new AbortController();
    const copying = replica.copyFile?.(FILE, COPY, { signal: abort.signal });
    setImmediate(() => abort.abort(new Error('enough')));
    await expect(copying).rejects.toThrow('enough');
    expect((await list(replica, 'all')).map(({ level }) => level)).toEqual([0]);
    const names = await readdir(`${server.root}/r/ltx`, { recursive: true });
    expect(names.filter((name) => name.endsWith('.sluice-tmp'))).toEqual([]);
  });

  test('a reader beside a running replication changes nothing', async () => {
    const server = await start({ as: 'own-user', extensions: 'all', log: 'requests' });
    const writer = new Replica(await connect(server), `${server.root}/r`);
    await writer.writeFile(FILE, bodyOf(pattern(5_000, 1)));
    const before = server.requests().length;
    const destination = await connect(server, { access: 'read' });
    const reader = new Replica(destination, `${server.root}/r`);
    const objects = reader.objects;
    for (let round = 0; round < 10; round += 1) {
      await list(reader, 'all');
      await readIfPresent(reader, FILE);
      await readIfPresent(reader, ref(0, 2));
      await Array.fromAsync(objects.list('') ?? []);
    }
    const reading = ['open', 'close', 'read', 'fstat', 'stat', 'opendir', 'readdir', 'limits'];
    const others = server
      .requests()
      .slice(before)
      .filter((kind) => !reading.includes(kind));
    expect(others).toEqual([]);
  });

  test.each(['all', 'none'] as const)(
    'a write that is cut after any number of bytes leaves the complete old or new file (extensions: %s)',
    async (extensions) => {
      const server = await start({ as: 'unprivileged', extensions });
      const proxy = await startCuttingProxy(`http://127.0.0.1:${server.port}`);
      onTestFinished(() => proxy.stop());
      const port = new URL(proxy.endpoint).port;
      const path = `${server.root}/r`;
      const direct = new Replica(await connect(server), path);
      let old = pattern(30_000, 0);
      await direct.writeFile(FILE, bodyOf(old));
      // Until the greeting, the login and the whole write get through.
      for (let bytes = 1_000; ; bytes += 1_300) {
        const next = pattern(30_000, bytes);
        proxy.cutNextAfter(bytes);
        const cutsBefore = proxy.cuts;
        const cut = await connect(server, { port });
        const writing = new Replica(cut, path).writeFile(FILE, bodyOf(next));
        await writing.catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
        });
        const found = await readIfPresent(direct, FILE);
        const isNew = found !== 'none' && Buffer.compare(found, next) === 0;
        assertBytes(found, isNew ? next : old);
        if (proxy.cuts === cutsBefore) break;
        old = isNew ? next : old;
        // The next write over the same destination removes the temporary file of this one.
        old = pattern(100, bytes + 1);
        await new Replica(cut, path).writeFile(FILE, bodyOf(old));
        const keys = await readdir(`${server.onDisk(path)}/ltx/0`);
        expect(keys).toHaveLength(1);
        await cut.close();
      }
      expect(proxy.cuts).toBeGreaterThan(15);
    },
  );

  // A separate file system needs root.
  if (process.getuid?.() === 0) {
    describe('a disk that is full', () => {
      async function startFull(extensions: SshdOptions['extensions']): Promise<Sshd> {
        const server = await start({ as: 'root-in-a-chroot', extensions });
        const at = server.onDisk(server.root);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'sluice-test', at]);
        onTestFinished(() => void execFileSync('umount', ['-l', at]));
        return server;
      }

      test('fails with REPLICA_FULL and keeps the old file', async () => {
        const server = await startFull('all');
        const replica = new Replica(await connect(server), `${server.root}/r`);
        const old = pattern(400_000, 1);
        await replica.writeFile(FILE, bodyOf(old));
        const writing = replica.writeFile(FILE, bodyOf(pattern(900_000, 2)));
        await rejectsWith(writing, 'REPLICA_FULL');
        assertBytes(await readIfPresent(replica, FILE), old);
        // The unfinished file was removed, so a smaller one has space.
        await replica.writeFile(FILE, bodyOf(pattern(500_000, 3)));
        assertBytes(await readIfPresent(replica, FILE), pattern(500_000, 3));
      });

      test('never leaves the old file renamed', async () => {
        const server = await startFull('statvfs-only');
        const replica = new Replica(await connect(server), `${server.root}/r`);
        await replica.writeFile(FILE, bodyOf(pattern(10, 1)));
        await replica.writeFile(ref(0, 2), bodyOf(pattern(1_000_000, 1)));
        await rejectsWith(replica.writeFile(FILE, bodyOf(pattern(10, 2))), 'REPLICA_FULL');
        assertBytes(await readIfPresent(replica, FILE), pattern(10, 1));
        await replica.deleteFiles([ref(0, 2)]);
        await replica.writeFile(FILE, bodyOf(pattern(10, 2)));
        assertBytes(await readIfPresent(replica, FILE), pattern(10, 2));
      });
    });
  }
});

test('a read whose connection is lost repeatedly resumes at its byte', async () => {
  const fake = await startFakeServer();
  const bytes = pattern(3_000_000, 1);
  const writer = await connectTo(fake);
  await new Replica(writer, '/r').writeFile(FILE, bodyOf(bytes));
  await writer.close();
  // The number of bytes before a loss is random, so consecutive attempts may read nothing.
  const reader = await connectTo(fake, { access: 'read' });
  const destination = new Destination(reader, { attemptsMax: 20 });
  onTestFinished(() => destination.close());
  let reads = 0;
  fake.intercept = ({ kind }) =>
    kind === 'READ' && (reads += 1) % 60 === 0 ? 'lost-before' : undefined;
  const { body } = await destination.replica('/r').openFile(FILE);
  assertBytes(await readBytes(body, bytes.byteLength), bytes);
  expect(fake.connections).toBeGreaterThan(2);
});
