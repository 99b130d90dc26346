/** A scrub writes to the destinations of a database only while it is replicated: later they may be another one's. */

import fs from 'node:fs';
import path from 'node:path';
import { recordScrubs } from '@sluice/core';
import { expect, test } from 'vitest';
import type { DatabaseConfig } from '../../src/config/model.ts';
import { Destinations } from '../../src/destinations.ts';
import { BackgroundScrubs, DamageReport } from '../../src/scrubbing/background.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder } from '../support/temporary.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

test('release waits until the scrub of a database has ended, and it does not begin again', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(path.join(folder, '.app.db-sluice'));
  const config = await readText(
    `scrub: { every: 1h }\ndbs: [{ path: ${folder}/app.db, replica: { path: ${folder}/backup } }]`,
  );
  const [database] = config.databases as [DatabaseConfig];
  const asked = Promise.withResolvers<void>();
  const calls: string[] = [];
  // A destination that connects only when it is told to give up.
  const connect = async (_: unknown, { signal }: { signal?: AbortSignal }): Promise<never> => {
    calls.push('connect');
    asked.resolve();
    return await new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        setTimeout(() => {
          calls.push('gave up');
          reject(signal.reason as Error);
        }, 50);
      });
    });
  };
  const [destination] = database.destinations as [DatabaseConfig['destinations'][number]];
  const backend = { ...destination.backend, connect } as typeof destination.backend;
  // A round that was begun continues at once.
  const cursor = 'ltx/0/0000000000000001-0000000000000001.ltx';
  const startedAt = new Date().toISOString();
  const { name, target } = destination;
  const round = { name, target, startedAt, cursor, objects: 1, bytes: 1, damaged: [], mended: 0 };
  await recordScrubs(path.join(folder, '.app.db-sluice'), [round]);
  let databases: DatabaseConfig[] = [{ ...database, destinations: [{ ...destination, backend }] }];
  await using connections = new Destinations(silent, 'write');
  const scrubs = new BackgroundScrubs({
    databases: () => databases,
    connections,
    replicator: { execute: () => Promise.reject(new Error('not expected')) },
    damage: new DamageReport(),
    logger: silent,
  });
  await asked.promise;
  databases = [];
  await scrubs.release(database.options.path);
  expect(calls).toEqual(['connect', 'gave up']);
  await scrubs.close();
  expect(calls).toEqual(['connect', 'gave up']);
});
