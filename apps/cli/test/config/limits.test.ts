import { expect, test } from 'vitest';
import { readText } from '../support/configuration.ts';

test('each destination has its own interval and limits', async () => {
  const { databases } = await readText(`dbs:
- path: /d
  replicas:
  - { path: /a }
  - { path: /b, sync-interval: 5m, max-upload-bytes-per-second: 2MiB, max-requests-per-second: 3 }
  - { path: /c, enabled: false }
`);
  const [database] = databases;
  expect(database?.options.syncIntervalMs).toBe(1_000);
  const found = database?.destinations.map(({ enabled, limits, syncIntervalMs }) => ({
    enabled,
    limits,
    syncIntervalMs,
  }));
  expect(found).toEqual([
    { enabled: true, limits: undefined, syncIntervalMs: 1_000 },
    {
      enabled: true,
      limits: { uploadBytesPerSecond: 2 * 1024 ** 2, requestsPerSecond: 3 },
      syncIntervalMs: 300_000,
    },
    { enabled: false, limits: undefined, syncIntervalMs: 1_000 },
  ]);
});

test('a database whose destinations are all disabled is refused', async () => {
  const reading = readText('dbs: [{ path: /d, replicas: [{ path: /a, enabled: false }] }]');
  await expect(reading).rejects.toThrow(/every destination has enabled: false/);
});

test('a disabled destination does not make a database sync more often', async () => {
  const { databases } = await readText(`dbs:
- path: /d
  replicas:
  - { path: /a, sync-interval: 10s }
  - { path: /b, enabled: false }
`);
  expect(databases[0]?.options.syncIntervalMs).toBe(10_000);
});
