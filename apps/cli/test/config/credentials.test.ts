import { expect, test } from 'vitest';
import { findCredentials } from '../../src/config/credentials.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

test.each(['SLUICE', 'LITESTREAM'])('%s_… stand for AWS_… where those are not set', (prefix) => {
  const environment = { [`${prefix}_ACCESS_KEY_ID`]: 'id', [`${prefix}_SECRET_ACCESS_KEY`]: 'key' };
  const found = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
  expect(findCredentials(environment)).toEqual(found);
});

test('what AWS_… says wins, then SLUICE_…, then LITESTREAM_…', () => {
  const all = {
    AWS_ACCESS_KEY_ID: 'aws',
    SLUICE_ACCESS_KEY_ID: 'sluice',
    LITESTREAM_ACCESS_KEY_ID: 'litestream',
  };
  expect(findCredentials(all)['AWS_ACCESS_KEY_ID']).toBe('aws');
  const { AWS_ACCESS_KEY_ID: _, ...rest } = all;
  expect(findCredentials(rest)['AWS_ACCESS_KEY_ID']).toBe('sluice');
  expect(findCredentials({ ...rest, AWS_ACCESS_KEY_ID: '' })['AWS_ACCESS_KEY_ID']).toBe('sluice');
});

test.each(['AWS_SECRET_ACCESS_KEY', 'SLUICE_SECRET_ACCESS_KEY', 'LITESTREAM_SECRET_ACCESS_KEY'])(
  '%s_FILE names a file that holds it',
  (name) => {
    const file = writeFile(temporaryFolder(), 'key', 'from-a-file\n');
    const found = findCredentials({ [`${name}_FILE`]: file });
    expect(found).toEqual({ AWS_SECRET_ACCESS_KEY: 'from-a-file' });
  },
);

test('without any of them, nothing is found, and the SDK looks elsewhere', () => {
  expect(findCredentials({ HOME: '/root' })).toEqual({});
});
