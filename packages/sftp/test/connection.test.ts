/** Host keys, logins, and the life of a connection. */

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
  test('is unknown is refused before the login, and the error shows its key', async () => {
    const fake = await startFakeServer();
    const asked: string[] = [];
    fake.accept = ({ method }) => asked.push(method) > 0;
    const client = new Replica(await connectTo(fake, { input: { 'host-key': undefined } }), ROOT);
    const error = await failureOf(client.writeFile(FILE, bodyOf('x')));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toMatch(
      /offers ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}, and none of its keys/,
    );
    expect(error.message).toContain(`set host-key to "${fake.hostKey}"`);
    expect(asked).toEqual([]);
  });

  test('has changed is an error that says so, with both fingerprints', async () => {
    const fake = await startFakeServer();
    const input = { 'host-key': OTHER_KEYS.public };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    const error = await failureOf(Array.fromAsync(client.listFiles('all')));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toMatch(
      /offers .* SHA256:.*, but the expected host key is SHA256:.* has changed/,
    );
    expect(error.message).not.toContain('set host-key');
  });

  test('is in known-hosts is trusted, unless it is revoked there', async () => {
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

  test('cannot be looked up because known-hosts is missing is not trusted', async () => {
    const fake = await startFakeServer();
    const input = { 'host-key': undefined, 'known-hosts': join(fake.folder, 'none') };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    const error = await failureOf(client.openFile(FILE));
    expect(error.code).toBe('REPLICA_HOST_UNTRUSTED');
    expect(error.message).toContain('known-hosts cannot be read');
    expect(fake.connections).toBe(0);
  });
});

describe('a login', () => {
  test('with a password succeeds', async () => {
    const fake = await startFakeServer();
    fake.accept = (context) => context.method === 'password' && context.password === PASSWORD;
    await new Replica(await connectTo(fake), ROOT).writeFile(FILE, bodyOf('x'));
    expect(tree(fake, ROOT)).toHaveLength(2);
  });

  test('with a password that the server asks for succeeds', async () => {
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

  test('with a key and a passphrase succeeds, and reads the key for each connection', async () => {
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

  test('with an unreadable key or a wrong password fails', async () => {
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

  test('that was refused is not repeated immediately by other databases', async () => {
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

test('a thousand replicas use one connection and at most ten channels', async () => {
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

test('requests are not delayed to fill a packet', async () => {
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

test('a connection that was dropped while idle is reopened without an error', async () => {
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

test('one channel is enough on a server that allows only one', async () => {
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

test('without concurrent-writes, the pieces of a file are written one by one', async () => {
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

test('a source is closed when the server refuses a piece', async () => {
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
  fake.intercept = ({ kind, path }) => (kind === 'WRITE' && path.includes('.ltx') ? 3 : undefined);
  const refused = expect.objectContaining({ code: 'REPLICA_PERMISSION_DENIED' });
  await expect(client.writeFile(FILE, body)).rejects.toEqual(refused);
  expect(isLetGo).toBe(true);
});

test('closing does not wait for a server that accepts connections and never answers', async () => {
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
  await ended; // the connection has ended
  expect(performance.now() - since).toBeLessThan(CLOSE_MS_MAX / 2);
});
