/** The options of `s3` in TypeScript and the keys in YAML are the same. */

import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend, s3, type S3Options } from '../src/index.ts';

/** The compiler refuses this if an option is missing here, or is none. */
const NAMES: Readonly<Record<keyof S3Options, true>> = {
  bucket: true,
  path: true,
  region: true,
  endpoint: true,
  accessKeyId: true,
  secretAccessKey: true,
  sessionToken: true,
  credentials: true,
  forcePathStyle: true,
  skipVerify: true,
  signPayload: true,
  requireContentMd5: true,
  storageClass: true,
  partSize: true,
  concurrency: true,
  sseCustomerAlgorithm: true,
  sseCustomerKey: true,
  sseCustomerKeyPath: true,
  sseCustomerKeyMd5: true,
  sseKmsKeyId: true,
  objectLockMode: true,
  objectLockRetention: true,
};

test('every key of the configuration is an option', () => {
  const { keys, module, credentials } = s3(NAMES as unknown as S3Options);
  const known = Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {});
  expect(Object.keys(keys).sort()).toEqual(known.sort());
  expect(credentials).toBe(true); // a function, not a key
  expect(module).toBe(new URL('../src/index.ts', import.meta.url).href);
});
