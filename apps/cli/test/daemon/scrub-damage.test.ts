/** Damage that a scrub has found stays known until it is mended or gone, whatever else is looked at meanwhile. */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { readScrubs, recordScrubs, type ScrubRecord } from '@sluice/core';
import { ReplicationError, type ReplicaClient } from '@sluice/core/backend';
import {
  createKernel,
  FLAG_NO_CHECKSUM,
  formatFilename,
  LTXEncoder,
  toTXID,
} from '@sluice/core/ltx';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseConfig, DestinationConfig } from '../../src/config/model.ts';
import { Destinations } from '../../src/destinations.ts';
import { BackgroundScrubs, DamageReport } from '../../src/scrubbing/background.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

/** Too much for a file that is always read whole. */
const PAGES = 80;
const PAGE_BYTES = 512;
const LINEAGE = 0xabcdn;

/** Every page, at random. */
function fileOf(min: number, max: number): Buffer {
  const header = {
    flags: FLAG_NO_CHECKSUM,
    pageSize: PAGE_BYTES,
    commit: PAGES,
    minTXID: toTXID(min),
    maxTXID: toTXID(max),
    timestampMs: 1_700_000_000_000 + max,
    preApplyChecksum: 0n,
    walOffset: 32n,
    walSize: 0n,
    walSalt1: 0xffff_ffff,
    walSalt2: 0xffff_ffff,
    nodeID: LINEAGE,
  };
  const encoder = new LTXEncoder(createKernel(), header, { encoding: 'block' });
  const start = encoder.start().slice();
  const pgnos = Uint32Array.from({ length: PAGES }, (_, index) => index + 1);
  const pages = encoder.pages(pgnos, randomBytes(PAGES * PAGE_BYTES)).slice();
  return Buffer.concat([start, pages, encoder.finish().bytes]);
}

const nameOf = (level: number, min: number, max: number): string =>
  `${level}/${formatFilename(toTXID(min), toTXID(max))}`;

const DAMAGED = nameOf(9, 1, 2);

class Scene {
  readonly folder: string = temporaryFolder();
  readonly staging: string;
  readonly damage: DamageReport = new DamageReport();
  readonly log: string[] = [];
  database!: DatabaseConfig;
  #said = Promise.withResolvers<void>();

  constructor() {
    this.staging = path.join(this.folder, '.app.db-sluice');
    fs.mkdirSync(this.staging);
  }

  /** A backup at these destinations, each with a scrub. */
  async configure(...names: readonly string[]): Promise<void> {
    const replicas = names.map((name) => `{ name: ${name}, path: ${this.folder}/${name} }`);
    const config = await readText(
      `scrub: { every: 1h }\ndbs: [{ path: ${this.folder}/app.db, replicas: [${replicas.join(', ')}] }]`,
    );
    [this.database] = config.databases as [DatabaseConfig];
  }

  destination(name: string): DestinationConfig {
    return this.database.destinations.find((each) => each.name === name) as DestinationConfig;
  }

  put(destination: string, name: string, bytes: Uint8Array): void {
    const file = path.join(this.folder, destination, 'ltx', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
    fs.writeFileSync(path.join(this.folder, destination, '.sluice-root'), `${destination}\n`);
  }

  /** Where the scrub of a destination stands; a cursor of a round that was begun continues at once. */
  record(name: string, more: Partial<ScrubRecord>): ScrubRecord {
    const { target } = this.destination(name);
    const startedAt = new Date().toISOString();
    return { name, target, startedAt, objects: 0, bytes: 0, damaged: [], mended: 0, ...more };
  }

  async known(name: string): Promise<ScrubRecord | undefined> {
    return (await readScrubs(this.staging)).find((each) => each.name === name);
  }

  /** Resolves when a round of the scrub of a destination is complete and recorded, with the records of all. */
  async completed(name: string): Promise<void> {
    const isComplete = async (): Promise<void> => {
      expect((await this.known(name))?.completedAt).toBeDefined();
    };
    await vi.waitFor(isComplete, { timeout: 60_000, interval: 20 });
  }

  start(): void {
    const say = (message: string): void => {
      this.log.push(message);
      this.#said.resolve();
      this.#said = Promise.withResolvers();
    };
    const logger = { debug: say, info: say, warn: say, error: say };
    const connections = new Destinations(logger, 'write');
    const scrubs = new BackgroundScrubs({
      databases: () => [this.database],
      connections,
      replicator: { execute: async () => ({ snapshot: 'not following' }) as never },
      damage: this.damage,
      logger,
    });
    onTestFinished(async () => {
      await scrubs.close();
      await connections.close();
    });
  }

  async says(pattern: RegExp): Promise<void> {
    while (!this.log.some((line) => pattern.test(line))) await this.#said.promise;
  }
}

const FOUND = {
  object: DAMAGED,
  code: 'LTX_CHECKSUM_MISMATCH',
  why: 'a flipped bit',
  at: new Date().toISOString(),
};

/** TXIDs 1 to 3 at both. "two" has a snapshot of 2 beside them, which is damaged in its middle, and which no state needs. */
async function damagedAtTwo(): Promise<Scene> {
  const scene = new Scene();
  await scene.configure('one', 'two');
  for (const txid of [1, 2, 3]) {
    const bytes = fileOf(txid, txid);
    for (const name of ['one', 'two']) scene.put(name, nameOf(0, txid, txid), bytes);
  }
  const damaged = fileOf(1, 2);
  expect(damaged.length).toBeGreaterThan(16 * 1024);
  const middle = damaged.length >> 1;
  damaged[middle] = (damaged[middle] ?? 0) ^ 1;
  scene.put('two', DAMAGED, damaged);
  return scene;
}

test('a scrub of another destination does not forget it', async () => {
  const scene = await damagedAtTwo();
  await recordScrubs(scene.staging, [
    scene.record('one', { cursor: nameOf(0, 2, 2) }),
    scene.record('two', { damaged: [FOUND] }),
  ]);
  scene.start();
  await scene.completed('one');
  expect(scene.damage.of(scene.destination('two'))).toMatch(/has a damaged file/);
  expect(await scene.known('two')).toMatchObject({ damaged: [FOUND], mended: 0 });
});

test('it is known where no round has begun yet', async () => {
  const scene = await damagedAtTwo();
  const file = path.join(scene.folder, 'two', 'ltx', DAMAGED);
  fs.truncateSync(file, fs.statSync(file).size - 1);
  await recordScrubs(scene.staging, [scene.record('one', { cursor: nameOf(0, 2, 2) })]);
  scene.start();
  await scene.completed('one');
  expect(scene.damage.of(scene.destination('two'))).toMatch(/has a damaged file/);
  expect((await scene.known('two'))?.damaged).toMatchObject([{ object: DAMAGED }]);
  await scene.completed('two');
  expect((await scene.known('two'))?.damaged).toMatchObject([{ object: DAMAGED }]);
});

test('a repair that cannot read it does not forget it', async () => {
  const scene = await damagedAtTwo();
  await recordScrubs(scene.staging, [scene.record('two', { cursor: DAMAGED, damaged: [FOUND] })]);
  const { backend } = scene.destination('two');
  const connect: typeof backend.connect = async (config, context) => {
    const client = await backend.connect(config, context);
    return unreadable(client, (key) => key.endsWith(DAMAGED));
  };
  const destinations = scene.database.destinations.map((each) => {
    return each.name === 'two' ? { ...each, backend: { ...backend, connect } } : each;
  });
  scene.database = { ...scene.database, destinations };
  scene.start();
  await scene.completed('two');
  expect(scene.damage.of(scene.destination('two'))).toMatch(/has a damaged file/);
  expect(await scene.known('two')).toMatchObject({ damaged: [FOUND], mended: 0 });
});

test.for([
  ['a round', { cursor: nameOf(0, 1, 1) }],
  ['a look at known damage', {}],
] as const)('%s does not count where files that were sent are gone', async ([, more]) => {
  const scene = await damagedAtTwo();
  await scene.configure('two');
  for (const txid of [2, 3])
    fs.rmSync(path.join(scene.folder, 'two', 'ltx', nameOf(0, txid, txid)));
  const sent = { txid: toHex(3n), sizeBytes: 1, checksum: toHex(0n), lineage: toHex(LINEAGE) };
  const sentThere = JSON.stringify({ [scene.destination('two').target]: sent });
  writeFile(scene.staging, 'destinations.json', sentThere);
  await recordScrubs(scene.staging, [scene.record('two', { damaged: [FOUND], ...more })]);
  scene.start();
  await scene.says(/the scrub of two is interrupted: .*TXID 0000000000000003 was sent there/);
  expect(scene.damage.of(scene.destination('two'))).toMatch(/has a damaged file/);
  expect((await scene.known('two'))?.completedAt).toBeUndefined();
});

/** The same client, without the content of some objects. */
function unreadable(client: ReplicaClient, isUnreadable: (key: string) => boolean): ReplicaClient {
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property !== 'get' && property !== 'openLocal') return method;
      return async (key: string, ...rest: unknown[]): Promise<unknown> => {
        if (isUnreadable(key)) throw new ReplicationError('REPLICA_UNAVAILABLE', `get ${key}: 503`);
        return await method(key, ...rest);
      };
    },
  });
}

function toHex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
