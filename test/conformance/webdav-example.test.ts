/** The WebDAV backend of examples/backend-webdav with `rclone serve webdav`. */

import type { ReplicaClient } from '@sluice/core/backend';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { parseConfig } from '@sluice/core/backend';
import { createClient } from 'webdav';
import { backend } from '../../examples/backend-webdav/src/index.ts';
import { startRcloneWebDAV } from '../servers/rclone.ts';
import { describeWith } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Setup } from './suite.ts';

const SECRET = 'webdav-password';

describeWith(['rclone'], 'webdav example, rclone', () => {
  describeConformance({
    name: 'webdav example, rclone',
    layout: 'tree',
    capabilities: { ranges: true, conditions: 'any-size' },
    copy: 'not-claimed',
    hooks: ['raw', 'denied', 'unreachable', 'silent', 'cuttable', 'otherProcess'],
    partSizeBytes: 65_536, // arbitrary: bodies are not sent in parts
    deviations: {
      'concurrency/of-equal-names-one-is-whole': {
        reason: 'a MOVE deletes the old file before it renames the new one (RFC 4918, 9.9.3)',
        fails: 'sometimes',
      },
    },
    secrets: [SECRET, 'not-the-password'],
    configuration: {
      backend,
      input: (path) => ({
        endpoint: 'https://example.com',
        path,
        user: 'sluice',
        password: SECRET,
      }),
      url: (path) => `webdav://example.com/${path}?user=sluice&password=${SECRET}`,
    },
    open: setUp,
  });
});

async function setUp(): Promise<Setup> {
  const { port, input, folder, stop } = await startRcloneWebDAV();
  const connect = async (
    more: Readonly<Record<string, unknown>> = {},
    access: 'read' | 'write' = 'write',
  ): Promise<ReplicaClient> => {
    const { config } = parseConfig(backend, { ...input, path: 'unused', ...more });
    return await backend.connect(config, { access, logger: console });
  };
  const dav = createClient(input.endpoint, { username: input.user, password: input.password });
  let paths = 0;
  return {
    connect: (access) => connect({}, access),
    newPath: () => `replica-${(paths += 1)}`,
    raw: {
      async put(key, bytes) {
        const parts = key.split('/');
        for (let depth = 1; depth < parts.length; depth += 1) {
          await dav.createDirectory(`/${parts.slice(0, depth).join('/')}`);
        }
        await dav.putFileContents(`/${key}`, Buffer.from(bytes));
      },
      async keys(prefix) {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile());
        const keys = files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
        return keys.filter((key) => key.startsWith(prefix));
      },
    },
    denied: () => connect({ password: 'not-the-password' }),
    unreachable: () => connect({ endpoint: 'http://127.0.0.1:1' }),
    otherProcess: {
      module: new URL('../../examples/backend-webdav/src/index.ts', import.meta.url).href,
      input: { ...input, path: 'unused' },
    },
    ...relayed(`127.0.0.1:${port}`, (address) => connect({ endpoint: `http://${address}` }), stop),
  };
}
