/** The configuration of the replicator, and the backend with a planted error beside it. */

import fs from 'node:fs';
import path from 'node:path';
import { SETTINGS } from './limits.ts';
import type { ChaosDestination } from './servers.ts';

const PACKAGES = path.resolve(import.meta.dirname, '../../../packages');
const FORGETFUL = 'sluice-forgetful';

export interface ChaosConfiguration {
  readonly database: string;
  /** The staging folder. */
  readonly staging: string;
  readonly stagingBytesMax: number;
  readonly destinations: readonly ChaosDestination[];
  /** Name of an S3 destination that confirms writes that it did not make, if any. */
  readonly forgetful: string | undefined;
}

export function writeConfiguration(file: string, configuration: ChaosConfiguration): void {
  const { database, staging, stagingBytesMax, destinations, forgetful } = configuration;
  if (forgetful !== undefined) installForgetful(path.dirname(file));
  const replicas = destinations.map(({ name, input }) =>
    name === forgetful ? { ...input, type: FORGETFUL } : input,
  );
  const { syncIntervalMs, levelsMs, snapshotIntervalMs } = SETTINGS;
  const keys = { 'meta-path': staging, 'staging-max-bytes': stagingBytesMax };
  const content = {
    'sync-interval': `${syncIntervalMs}ms`,
    levels: levelsMs.map((ms) => ({ interval: `${ms}ms` })),
    snapshot: { interval: `${snapshotIntervalMs}ms` },
    dbs: [{ path: database, ...keys, replicas }],
  };
  fs.writeFileSync(file, JSON.stringify(content)); // JSON is YAML
}

/** Installs the backend beside the configuration, with the packages of this repository. */
function installForgetful(folder: string): void {
  const modules = path.join(folder, 'node_modules');
  const at = path.join(modules, FORGETFUL);
  fs.mkdirSync(path.join(modules, '@sluice'), { recursive: true });
  fs.mkdirSync(at);
  for (const name of ['core', 's3']) {
    fs.symlinkSync(path.join(PACKAGES, name), path.join(modules, '@sluice', name));
  }
  fs.copyFileSync(path.join(import.meta.dirname, 'forgetful-s3.mjs'), path.join(at, 'index.js'));
  const manifest = { name: FORGETFUL, type: 'module', exports: './index.js' };
  fs.writeFileSync(path.join(at, 'package.json'), JSON.stringify(manifest));
}
