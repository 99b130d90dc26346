/** The S3 backend with four servers: our own, MinIO, versitygw and rclone. */

import { readdir, readlink } from 'node:fs/promises';
import { backend } from '@sluice/s3';
import { startMinio } from '../servers/minio.ts';
import { startRcloneS3 } from '../servers/rclone.ts';
import { connectS3, rawKeys, rawPut, s3Input, type S3Place } from '../servers/s3-access.ts';
import { start, type RunningS3 } from '../servers/s3/index.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeWith } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Conformance, type Hooks, type Setup } from './suite.ts';

/** The minimum part size of S3, to keep test files small. */
const PART_BYTES = 5 * 1024 * 1024;

const NO_CONFLICT_WHEN_GONE = 'it reports no conflict for a version of a deleted object';

const s3: Omit<Conformance, 'name' | 'open'> = {
  layout: 'levels',
  capabilities: {
    ranges: true,
    conditions: 'any-size',
    versions: true,
    deleteMax: 1_000,
    sortedLists: true,
  },
  hooks: ['raw', 'denied', 'unreachable', 'silent', 'cuttable', 'handles', 'otherProcess'],
  partSizeBytes: PART_BYTES,
  secrets: ['sluicetestsecret', 'not-the-secret'],
  configuration: {
    backend,
    input: (path) => ({ bucket: 'backups', region: 'eu-west-1', path }),
    url: (path) => `s3://backups/${path}?region=eu-west-1`,
  },
};

describeConformance({
  ...s3,
  name: 's3, our server',
  hooks: [...s3.hooks, 'vanish'],
  open: openOurs,
});

describeWith(['minio'], 's3, MinIO', () => {
  describeConformance({
    ...s3,
    name: 's3, MinIO',
    deviations: { 'objects/delete-of-a-version': 'it ignores If-Match on DELETE' },
    open: async () => openReal(await startMinio()),
  });
});

describeWith(['versitygw'], 's3, versitygw', () => {
  describeConformance({
    ...s3,
    name: 's3, versitygw',
    deviations: { 'objects/delete-of-a-version': NO_CONFLICT_WHEN_GONE },
    open: async () => openReal(await startVersitygw()),
  });
});

describeWith(['rclone'], 's3, rclone', () => {
  describeConformance({
    ...s3,
    name: 's3, rclone',
    deviations: {
      'concurrency/of-equal-names-one-is-whole': {
        reason:
          'it removes the old object before it renames the new one, so a reader may find none',
        fails: 'sometimes',
      },
      'objects/delete-of-a-version': NO_CONFLICT_WHEN_GONE,
    },
    open: openRclone,
  });
});

/** With small pages, so that listings need several of them. */
async function openOurs(): Promise<Setup> {
  const server = await start({ pageSizeMax: 100 });
  return { ...setUp(server, () => server.stop()), vanish: async () => vanish(server) };
}

/** Hides the bucket, because a stopped server could not get its port back. */
function vanish(server: RunningS3): () => Promise<void> {
  const bringBack = server.raw.hideBucket(server.bucket);
  return async () => bringBack();
}

function openReal(server: S3Place & { stop(): Promise<void> }): Setup {
  return setUp(server, () => server.stop());
}

/** More paths than the kit uses. */
const PATHS_MAX = 200;

/** rclone needs existing folders, whose marker objects are not part of a replica. */
async function openRclone(): Promise<Setup> {
  const levels = Array.from({ length: 10 }, (_, level) => `000${level}`);
  const paths = Array.from({ length: PATHS_MAX }, (_, index) => pathOf(index + 1));
  const server = await startRcloneS3(
    paths.flatMap((path) => levels.map((level) => `${path}/${level}`)),
  );
  return setUp(
    server,
    () => server.stop(),
    (key) => !key.endsWith('/'),
  );
}

function pathOf(count: number): string {
  return `replica-${count}`;
}

function setUp(
  place: S3Place,
  stop: () => Promise<void>,
  isObject: (key: string) => boolean = () => true,
): Setup & Hooks {
  let paths = 0;
  const more = { 'part-size': PART_BYTES };
  return {
    connect: (access) => connectS3(place, more, { access }),
    newPath: () => pathOf((paths += 1)),
    raw: {
      put: (key, bytes) => rawPut(place, key, bytes),
      keys: async (prefix) => (await rawKeys(place, prefix)).filter(isObject),
    },
    denied: () => connectS3(place, { ...more, 'secret-access-key': 'not-the-secret' }),
    unreachable: () => connectS3(place, { ...more, endpoint: UNREACHABLE }),
    handles: openSockets,
    otherProcess: { module: MODULE, input: s3Input(place, more) },
    ...relayed(place.endpoint, (endpoint) => connectS3(place, { ...more, endpoint }), stop),
  };
}

/** The built package, for import by another process. */
const MODULE = new URL('../../packages/s3/dist/index.js', import.meta.url).href;

/** Port 1 of this machine, which refuses connections. */
const UNREACHABLE = 'http://127.0.0.1:1';

async function openSockets(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}
