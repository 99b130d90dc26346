/** The Google Cloud Storage backend with two servers: our own, and fake-gcs-server. */

import { readdir, readlink } from 'node:fs/promises';
import { startFakeGCS } from '../servers/fake-gcs.ts';
import { connectGCS, rawKeys, rawPut, type GCSPlace } from '../servers/gcs-access.ts';
import { serviceAccount, start } from '../servers/gcs/index.ts';
import { describeWith } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Conformance, type Setup } from './suite.ts';

/** The minimum part size, to keep test files small. */
const PART_BYTES = 256 * 1024;

const gcs: Omit<Conformance, 'name' | 'open'> = {
  layout: 'tree',
  capabilities: { ranges: true, conditions: 'any-size', versions: true, sortedLists: true },
  hooks: ['raw', 'unreachable', 'silent', 'cuttable', 'handles'],
  partSizeBytes: PART_BYTES,
  secrets: [],
};

const OURS = serviceAccount('replicator', ['roles/storage.objectUser']);
const UNAUTHORIZED = serviceAccount('unauthorized', []);

describeConformance({
  ...gcs,
  name: 'gcs, our server',
  hooks: [...gcs.hooks, 'denied', 'vanish'],
  secrets: [OURS, UNAUTHORIZED].map(({ secret }) => secret),
  open: openOurs,
});

describeWith(['fake-gcs-server'], 'gcs, fake-gcs-server', () => {
  describeConformance({
    ...gcs,
    name: 'gcs, fake-gcs-server',
    deviations: { 'objects/delete-of-a-version': 'it ignores ifGenerationMatch on DELETE' },
    open: async () => {
      const server = await startFakeGCS();
      return {
        ...setUp(server, {}, () => server.stop()),
        raw: {
          put: (key, bytes) => rawPut(server, key, bytes),
          keys: (prefix) => rawKeys(server, prefix),
        },
      };
    },
  });
});

/** With small pages, so that listings need several of them. */
async function openOurs(): Promise<Setup> {
  const accounts = [OURS, UNAUTHORIZED].map(({ account }) => account);
  const server = await start({ pageSizeMax: 100, accounts });
  return {
    ...setUp(server, { credentials: OURS.credentials }, () => server.stop()),
    raw: {
      put: async (key, bytes) => server.raw.put(key, bytes),
      keys: async (prefix) => server.raw.keys().filter((key) => key.startsWith(prefix)),
    },
    denied: () => connectGCS(server, { credentials: UNAUTHORIZED.credentials }),
    async vanish() {
      const bringBack = server.raw.hideBucket();
      return async () => bringBack();
    },
  };
}

function setUp(
  place: GCSPlace & { readonly endpoint: string },
  more: Record<string, unknown>,
  stop: () => Promise<void>,
): Setup {
  let paths = 0;
  const all = { 'part-size': PART_BYTES, ...more };
  return {
    connect: (access) => connectGCS(place, all, { access }),
    newPath: () => `replica-${(paths += 1)}`,
    unreachable: () => connectGCS({ ...place, endpoint: UNREACHABLE }, all),
    handles: openSockets,
    ...relayed(place.endpoint, (endpoint) => connectGCS({ ...place, endpoint }, all), stop),
  };
}

/** Port 1 of this machine, which refuses connections. */
const UNREACHABLE = 'http://127.0.0.1:1';

async function openSockets(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}
