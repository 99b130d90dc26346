/** The options of `azure` in TypeScript and the keys in YAML are the same. */

import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend, azure, type AzureOptions } from '../src/index.ts';

/** The compiler refuses this if an option is missing here, or is none. */
const NAMES: Readonly<Record<keyof AzureOptions, true>> = {
  bucket: true,
  path: true,
  accountName: true,
  endpoint: true,
  accountKey: true,
  sasToken: true,
  sasTokenPath: true,
  credentials: true,
  connectionString: true,
  accessTier: true,
  partSize: true,
  concurrency: true,
};

test('every key of the configuration is an option', () => {
  const { keys, module, credentials } = azure(NAMES as unknown as AzureOptions);
  const known = Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {});
  expect(Object.keys(keys).sort()).toEqual(known.sort());
  expect(credentials).toBe(true); // a function, not a key
  expect(module).toBe(new URL('../src/index.ts', import.meta.url).href);
});
