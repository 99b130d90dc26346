/** The Azure backend with Azurite: with the account key, and with a token file. */

import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  accountToken,
  connectAzure,
  rawKeys,
  rawPut,
  type AzurePlace,
} from '../servers/azure-access.ts';
import { startAzureProxy } from '../servers/azure-proxy.ts';
import { startAzurite } from '../servers/azurite.ts';
import { describeWith } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Conformance, type Setup } from './suite.ts';

/** The minimum block size, to keep test files small. */
const BLOCK_BYTES = 1024 * 1024;
const WRONG_KEY = Buffer.from('not the key').toString('base64');

const azure: Omit<Conformance, 'name' | 'open'> = {
  layout: 'tree',
  capabilities: { ranges: true, conditions: 'any-size', versions: true, sortedLists: true },
  hooks: ['raw', 'denied', 'unreachable', 'silent', 'cuttable', 'handles'],
  partSizeBytes: BLOCK_BYTES,
  secrets: [Buffer.from('the key of the account of the tests').toString('base64'), WRONG_KEY],
};

describeWith(['azurite'], 'azure, Azurite', () => {
  describeConformance({ ...azure, name: 'azure, account key', open: openWithKey });
  describeConformance({
    ...azure,
    name: 'azure, token in a file, short pages',
    hooks: ['raw', 'denied', 'unreachable', 'silent', 'cuttable', 'vanish'],
    // Parameter names of a token's query. Its signature differs for each server.
    secrets: ['sig=', 'nobody'],
    open: openWithToken,
  });
});

async function openWithKey(): Promise<Setup> {
  const server = await startAzurite();
  return setUp(server, {}, { 'account-key': WRONG_KEY }, () => server.stop());
}

/** With short pages, so that listings need several of them. */
async function openWithToken(): Promise<Setup> {
  const server = await startAzurite();
  const proxy = await startAzureProxy(server, { pageSizeMax: 250 });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-azure-token-'));
  const path = join(folder, 'token');
  await writeFile(path, `?${accountToken(server)}\n`);
  const given = { 'account-key': undefined, 'sas-token-path': path };
  // A valid token that only allows tagging blobs.
  const denied = {
    'sas-token-path': undefined,
    'sas-token': accountToken(server, { permissions: 't' }),
  };
  const stop = async (): Promise<void> => {
    await proxy.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const vanish = async (): Promise<() => Promise<void>> => {
    const bringBack = proxy.hideContainer();
    return async () => bringBack();
  };
  // `raw` bypasses the proxy, which would change its signed queries.
  return { ...setUp(proxy.place, given, denied, stop, server), vanish };
}

function setUp(
  place: AzurePlace,
  given: Record<string, unknown>,
  denied: Record<string, unknown>,
  stop: () => Promise<void>,
  seen: AzurePlace = place,
): Setup {
  let paths = 0;
  const more = { 'part-size': BLOCK_BYTES, ...given };
  return {
    connect: (access) => connectAzure(place, more, { access }),
    newPath: () => `replica-${(paths += 1)}`,
    raw: {
      put: (key, bytes) => rawPut(seen, key, bytes),
      keys: (prefix) => rawKeys(seen, prefix),
    },
    denied: () => connectAzure(place, { ...more, ...denied }),
    unreachable: () => connectAzure(place, { ...more, endpoint: UNREACHABLE }),
    // With a proxy, its sockets are in this process too and would be counted.
    ...(seen === place && { handles: openSockets }),
    ...relayed(place.endpoint, (endpoint) => connectAzure(place, { ...more, endpoint }), stop),
  };
}

/** Port 1 of this machine, which refuses connections. */
const UNREACHABLE = 'http://127.0.0.1:1/sluicetest';

async function openSockets(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}
