/** Who the server is, who we are, and what becomes of a connection. */

import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';

import {
  CLOSE_MS_MAX,
  isError,
  type ReplicationError,
  parseConfig,
  type ObjectBody,
} from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { backend } from '../src/index.ts';
import { startFakeServer, tree } from './fake-server.ts';
import { bodyOf, connectTo, PASSWORD, readText, ref, ROOT } from './fixtures.ts';
import { makeKeys } from './keys.ts';

const FILE = ref(0, 1);
const OTHER_KEYS = makeKeys();

async function failureOf(work: Promise<unknown>): Promise<ReplicationError> {
  const error: unknown = await work.then(
    () => new Error('it was done'),
    (reason: unknown) => reason,
  );
  if (isError(error)) return error;
  throw error;
}

describe('a server whose key', () => {
  test('is not known is not told who we are, and the key that it shows is printed', async () => {
    const fake = await startFakeServer();
    const asked: string[] = [];
    fake.accept = ({ method }) => asked.push(method) > 0;
    const client = new Replica(await connectTo(fake, { input: { 'host-key': undefined } }), ROOT);
    const error = await failureOf(client.writeFile(FILE, bodyOf('x')));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toMatch(/offers ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}, and no key/);
    expect(error.message).toContain(`set host-key to "${fake.hostKey}"`);
    expect(asked).toEqual([]);
  });

  test('has changed is told as that, with both fingerprints', async () => {
    const fake = await startFakeServer();
    const input = { 'host-key': OTHER_KEYS.public };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    const error = await failureOf(Array.fromAsync(client.listFiles('all')));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toMatch(
      /offers .* SHA256:.*, but its host key is to be SHA256:.* has changed/,
    );
    expect(error.message).not.toContain('set host-key');
  });

  test('is in known-hosts is trusted, and one that is revoked there is not', async () => {
    const fake = await startFakeServer();
    const file = join(fake.folder, 'known_hosts');
    const line = `[127.0.0.1]:${fake.port} ${fake.hostKey}`;
    fs.writeFileSync(file, `${line}\n`);
    const input = { 'host-key': undefined, 'known-hosts': file };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    await client.writeFile(FILE, bodyOf('x'));
    fs.writeFileSync(file, `@revoked ${line}\n${line}\n`);
    const other = new Replica(await connectTo(fake, { input }), ROOT);
    const error = await failureOf(other.openFile(FILE));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toContain('revoked');
  });

  test('cannot be looked up, as known-hosts is not there, is not trusted', async () => {
    const fake = await startFakeServer();
    const input = { 'host-key': undefined, 'known-hosts': join(fake.folder, 'none') };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    const error = await failureOf(client.openFile(FILE));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toContain('known-hosts cannot be read');
    expect(fake.connections).toBe(0);
  });
});

describe('we are let in', () => {
  test('by a password', async () => {
    const fake = await startFakeServer();
    fake.accept = (context) => context.method === 'password' && context.password === PASSWORD;
    await new Replica(await connectTo(fake), ROOT).writeFile(FILE, bodyOf('x'));
    expect(tree(fake, ROOT)).toHaveLength(2);
  });

  test('by a password that is asked for', async () => {
    const fake = await startFakeServer();
    const answers: string[] = [];
    fake.accept = (context) => {
      if (context.method !== 'keyboard-interactive') return ['keyboard-interactive'];
      context.prompt([{ prompt: 'Password: ', echo: false }], (given) => {
        answers.push(...given);
        context.accept();
      });
      return 'later';
    };
    await new Replica(await connectTo(fake), ROOT).writeFile(FILE, bodyOf('x'));
    expect(answers).toEqual([PASSWORD]);
  });

  test('by a key with a passphrase, read anew for each connection', async () => {
    const fake = await startFakeServer();
    const keys = makeKeys('open sesame');
    const file = join(fake.folder, 'key');
    fs.writeFileSync(file, keys.private);
    const blob = keys.public.split(' ')[1] ?? '';
    fake.accept = (context) =>
      context.method === 'publickey' && context.key.data.toString('base64') === blob;
    const input = { password: undefined, 'key-path': file, passphrase: 'open sesame' };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    await client.writeFile(FILE, bodyOf('x'));

    const wrong = { ...input, passphrase: 'wrong' };
    const other = new Replica(await connectTo(fake, { input: wrong }), ROOT);
    const error = await failureOf(other.openFile(FILE));
    expect(error.code).toBe('REPLICA_UNAUTHENTICATED');
    expect(error.message).not.toContain('wrong');
  });

  test('by nothing else: a key that cannot be read is an error, and so is a wrong password', async () => {
    const fake = await startFakeServer();
    fake.accept = () => false;
    const key = { password: undefined, 'key-path': join(fake.folder, 'none') };
    const unread = await failureOf(
      new Replica(await connectTo(fake, { input: key }), ROOT).openFile(FILE),
    );
    expect(unread.code).toBe('REPLICA_UNAUTHENTICATED');
    expect(unread.message).toContain('key-path cannot be read');
    const client = new Replica(await connectTo(fake), ROOT);
    const refused = await failureOf(client.openFile(FILE));
    expect(refused.code).toBe('REPLICA_UNAUTHENTICATED');
    expect(refused.message).not.toContain(PASSWORD);
  });

  test('and a refusal is not asked for again at once by each of many databases', async () => {
    const fake = await startFakeServer();
    fake.accept = () => false;
    const destination = await connectTo(fake);
    for (let index = 0; index < 20; index += 1) {
      const { code } = await failureOf(new Replica(destination, `${ROOT}${index}`).openFile(FILE));
      expect(code).toBe('REPLICA_UNAUTHENTICATED');
    }
    expect(fake.connections).toBe(1);
  });
});

test('connecting sends nothing', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  expect(new Replica(destination, ROOT).objects).toBeDefined();
  await destination.close();
  expect(fake.connections).toBe(0);
});

test('a thousand replicas are one connection, and ten channels at most', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  const paths = Array.from({ length: 1_000 }, (_, index) => `/many/${index}`);
  const queue = paths.values();
  const work = async (): Promise<void> => {
    for (const path of queue) {
      const client = new Replica(destination, path);
      expect(await Array.fromAsync(client.listFiles('all'))).toEqual([]);
      if (path.endsWith('7')) await client.writeFile(FILE, bodyOf(path));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  expect(tree(fake, '/many')).toHaveLength(200);
  expect(fake.connections).toBe(1);
  expect(fake.channelsAtOnceMax).toBeGreaterThan(1);
  expect(fake.channelsAtOnceMax).toBeLessThanOrEqual(10);
});

test('requests do not wait for others to fill a packet', async () => {
  const fake = await startFakeServer();
  const spy = vi.spyOn(net.Socket.prototype, 'setNoDelay');
  await new Replica(await connectTo(fake), ROOT).writeFile(FILE, bodyOf('x'));
  const sockets = spy.mock.contexts as net.Socket[];
  const flags = spy.mock.calls.flatMap(([flag], index) =>
    sockets[index]?.remotePort === fake.port ? [flag] : [],
  );
  spy.mockRestore();
  expect(flags).toEqual([true]);
});

test('a connection that was dropped while idle is opened again, unnoticed', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(FILE, bodyOf('the first'));
  for (let round = 1; round <= 3; round += 1) {
    const dropped = fake.dropAll();
    await dropped;
    expect(await readText(client, FILE)).toBe('the first');
    expect(fake.connections).toBe(1 + round);
  }
});

test('a server that opens one channel only is content with that', async () => {
  const fake = await startFakeServer();
  fake.channelsMax = 1;
  const client = new Replica(await connectTo(fake), ROOT);
  const writes = Array.from({ length: 40 }, (_, index) =>
    client.writeFile(ref(0, index + 1), bodyOf('x')),
  );
  await Promise.all(writes);
  expect(await Array.fromAsync(client.listFiles(0))).toHaveLength(40);
  expect(fake.channels).toBe(1);
  expect(fake.connections).toBe(1);
});

test('pieces of a file go one by one where concurrent-writes is off', async () => {
  const fake = await startFakeServer();
  const body = bodyOf('a line of text, again and again\n'.repeat(10_000));
  const most: number[] = [];
  for (const input of [{}, { 'concurrent-writes': false }]) {
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    await client.writeFile(FILE, body);
    most.push(fake.writesAtOnceMax);
    fake.writesAtOnceMax = 0;
    expect(await readText(client, FILE)).toHaveLength(body.sizeBytes);
  }
  expect(most[0]).toBeGreaterThan(1);
  expect(most[1]).toBe(1);
});

test('a source is let go when the server takes no more of it', async () => {
  const fake = await startFakeServer();
  const client = new Replica(
    await connectTo(fake, { input: { 'concurrent-writes': false } }),
    ROOT,
  );
  let isLetGo = false;
  const body: ObjectBody = {
    sizeBytes: 1_000_000,
    createdAt: new Date(0),
    async *open() {
      try {
        for (let count = 0; count < 10; count += 1) yield Buffer.alloc(100_000);
      } finally {
        isLetGo = true;
      }
    },
  };
  fake.judge = ({ kind, path }) => (kind === 'WRITE' && path.includes('.ltx') ? 3 : undefined);
  const refused = expect.objectContaining({ code: 'REPLICA_PERMISSION_DENIED' });
  await expect(client.writeFile(FILE, body)).rejects.toEqual(refused);
  expect(isLetGo).toBe(true);
});

test('closing does not wait for a server that takes connections and says nothing', async () => {
  const silent = net.createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const accepted = once(silent, 'connection') as Promise<net.Socket[]>;
  const { config } = parseConfig(backend, {
    host: `127.0.0.1:${(silent.address() as net.AddressInfo).port}`,
    user: 'u',
    password: PASSWORD,
    'host-key': OTHER_KEYS.public,
  });
  const destination = await backend.connect(config, { access: 'write', logger: console });
  const failure = failureOf(new Replica(destination, ROOT).writeFile(FILE, bodyOf('x')));
  const [socket] = await accepted;
  const ended = once(socket?.resume() ?? silent, 'close');
  const since = performance.now();
  await destination.close();
  expect((await failure).code).toBe('REPLICA_CLOSED');
  await ended; // nothing of it is left
  expect(performance.now() - since).toBeLessThan(CLOSE_MS_MAX / 2);
});
