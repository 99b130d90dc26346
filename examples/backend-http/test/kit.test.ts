import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { describeBackend, type Setup } from '@sluice/backend-test-kit';
import { backend } from '../src/index.ts';
import { parseConfig } from '@sluice/core/backend';

const TOKEN = 'not-to-be-shown';

describeBackend(
  {
    name: 'http',
    layout: 'tree',
    capabilities: {},
    copy: 'not-claimed',
    hooks: ['denied', 'unreachable', 'otherProcess'],
    partSizeBytes: 65_536,
    secrets: [TOKEN],
    configuration: {
      backend,
      input: (path) => ({ endpoint: 'https://example.com', path, token: TOKEN }),
      url: (path) => `https://example.com/${path}?token=${TOKEN}`,
    },
    open: openServer,
  },
  { after, before, describe, test },
);

async function openServer(): Promise<Setup> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-http-'));
  const server = spawn(process.execPath, ['server.mjs', folder, '0', TOKEN], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    server.stdout.once('data', (data) => resolve(`${data}`.trim()));
    server.once('exit', (code) => reject(new Error(`server.mjs exited with code ${code}`)));
  });
  const input = { endpoint: `http://127.0.0.1:${port}`, path: 'unused', token: TOKEN };
  const connect = async (more: object, access: 'read' | 'write' = 'write') =>
    await backend.connect(parseConfig(backend, { ...input, ...more }).config, {
      access,
      logger: console,
    });
  let paths = 0;
  return {
    connect: (access) => connect({}, access),
    newPath: () => `replica-${(paths += 1)}`,
    denied: () => connect({ token: 'wrong' }),
    unreachable: () => connect({ endpoint: 'http://127.0.0.1:1' }),
    otherProcess: { module: new URL('../src/index.ts', import.meta.url).href, input },
    async stop() {
      server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
