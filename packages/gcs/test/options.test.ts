/** The options of `gcs` in TypeScript and the keys in YAML are the same. */

import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend, gcs, type GCSOptions } from '../src/index.ts';

/** The compiler refuses this if an option is missing here, or is none. */
const NAMES: Readonly<Record<keyof GCSOptions, true>> = {
  bucket: true,
  path: true,
  credentials: true,
  credentialsFile: true,
  endpoint: true,
  partSize: true,
};

test('every key of the configuration is an option', () => {
  const { keys, module } = gcs(NAMES as unknown as GCSOptions);
  const known = Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {});
  expect(Object.keys(keys).sort()).toEqual(known.sort());
  expect(module).toBe(new URL('../src/index.ts', import.meta.url).href);
});
