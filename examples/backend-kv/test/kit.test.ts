import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { describeBackend, pattern, startRelay, type Setup } from '@sluice/backend-test-kit';
import { bodyFromBytes, parseConfig, readBytes } from '@sluice/core/backend';
import { backend } from '../src/index.ts';

describeBackend(
  {
    name: 'kv',
    layout: 'tree',
    capabilities: { sizeMax: 16 * 1024 * 1024 },
    copy: 'not-claimed',
    hooks: ['unreachable', 'silent', 'cuttable', 'otherProcess'],
    partSizeBytes: 65_536,
    secrets: [],
    configuration: {
      backend,
      input: (path) => ({ host: 'example.com', port: 7_070, path }),
      url: (path) => `kv://example.com:7070/${path}`,
    },
    open: openStore,
  },
  { after, before, describe, test },
);

void test('a confirmed write survives a SIGKILL of the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kv-'));
  const file = join(folder, 'store.log');
  const bytes = pattern(300_000, 1);
  try {
    for (const round of ['write', 'read']) {
      const { server, port } = await start(file);
      const { config } = parseConfig(backend, { host: '127.0.0.1', port, path: 'p' });
      const client = await backend.connect(config, { access: 'write', logger: console });
      if (round === 'write') await client.put('p/a', bodyFromBytes(bytes));
      const { body } = await client.get('p/a');
      assert.equal(Buffer.compare(await readBytes(body, bytes.byteLength), bytes), 0);
      await client.close();
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function start(file: string): Promise<{ server: ChildProcess; port: string }> {
  const server = spawn(process.execPath, ['server.mjs', file], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    server.stdout.once('data', (data) => resolve(`${data}`.trim()));
    server.once('exit', (code) => reject(new Error(`server.mjs exited with code ${code}`)));
  });
  return { server, port };
}

async function openStore(): Promise<Setup> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kv-'));
  const { server, port } = await start(join(folder, 'store.log'));
  const input = { host: '127.0.0.1', port, path: 'unused' };
  const connect = async (more: object, access: 'read' | 'write' = 'write') =>
    await backend.connect(parseConfig(backend, { ...input, ...more }).config, {
      access,
      logger: console,
    });
  const silent = await startRelay();
  const relay = await startRelay({ host: '127.0.0.1', port: Number(port) });
  let paths = 0;
  return {
    connect: (access) => connect({}, access),
    newPath: () => `replica-${(paths += 1)}`,
    unreachable: () => connect({ port: 1 }),
    silent: () => connect({ port: silent.port }),
    cuttable: async () => ({ client: await connect({ port: relay.port }), cut: relay.cut }),
    otherProcess: { module: new URL('../src/index.ts', import.meta.url).href, input },
    async stop() {
      await Promise.all([silent.close(), relay.close()]);
      server.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
