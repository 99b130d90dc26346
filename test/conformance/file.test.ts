import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { ConnectContext } from '@sluice/core/backend';
import { backend } from '@sluice/file';

import { describeConformance, type Setup } from './suite.ts';
import { parseConfig } from '@sluice/core/backend';

describeConformance({
  name: 'file',
  layout: 'tree',
  capabilities: {
    ranges: true,
    conditions: 'any-size',
    deleteMax: 1_000,
    sortedLists: true,
    folders: true,
  },
  copy: 'not-claimed',
  hooks: ['raw', 'vanish', 'handles', 'otherProcess'],
  partSizeBytes: 1_048_576,
  secrets: [],
  configuration: {
    backend,
    input: (path) => ({ path: `/backups/${path}` }),
    url: (path) => `file:///backups/${path}`,
  },
  open: openFolder,
});

/** The built package, for import by another process. */
const MODULE = new URL('../../packages/file/dist/index.js', import.meta.url).href;

async function openFolder(): Promise<Setup> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-conformance-'));
  let paths = 0;
  const connect = async (access: ConnectContext['access']) => {
    const { config } = parseConfig(backend, { path: folder });
    return await backend.connect(config, { access, logger: console });
  };
  return {
    connect,
    newPath: () => join(folder, `replica-${(paths += 1)}`),
    raw: {
      async put(key, bytes) {
        await mkdir(dirname(key), { recursive: true });
        await writeFile(key, bytes);
      },
      async keys(prefix) {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile());
        const keys = files.map((entry) => join(entry.parentPath, entry.name));
        return keys.filter((key) => key.startsWith(prefix));
      },
    },
    /** Like an unmounted disk: the folder exists and is empty. */
    async vanish(path) {
      await rename(path, `${path}-elsewhere`);
      await mkdir(path);
      return async () => {
        await rm(path, { recursive: true });
        await rename(`${path}-elsewhere`, path);
      };
    },
    handles: async () => (await readdir('/proc/self/fd')).length,
    otherProcess: { module: MODULE, input: { path: folder } },
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}
