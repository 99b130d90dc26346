/** The options of `sftp` in TypeScript and the keys in YAML are the same. */

import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend, sftp, type SFTPOptions } from '../src/index.ts';

/** The compiler refuses this if an option is missing here, or is none. */
const NAMES: Readonly<Record<keyof SFTPOptions, true>> = {
  host: true,
  user: true,
  path: true,
  password: true,
  keyPath: true,
  passphrase: true,
  agent: true,
  hostKey: true,
  knownHosts: true,
  concurrentWrites: true,
};

test('every key of the configuration is an option', () => {
  const { keys, module } = sftp(NAMES as unknown as SFTPOptions);
  const known = Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {});
  expect(Object.keys(keys).sort()).toEqual(known.sort());
  expect(module).toBe(new URL('../src/index.ts', import.meta.url).href);
});
