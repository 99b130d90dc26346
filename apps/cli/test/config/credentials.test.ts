import { describe, expect, test } from 'vitest';
import { destinationFromURL } from '../../src/config/replica.ts';
import { Secrets } from '../../src/secrets.ts';
import { findCredentials, withCredentials } from '../../src/config/credentials.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

test.each(['SLUICE', 'LITESTREAM'])('%s_… is used if AWS_… is not set', (prefix) => {
  const environment = { [`${prefix}_ACCESS_KEY_ID`]: 'id', [`${prefix}_SECRET_ACCESS_KEY`]: 'key' };
  const found = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
  expect(findCredentials(environment)).toEqual(found);
});

test('AWS_… overrides SLUICE_…, which overrides LITESTREAM_…', () => {
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
  '%s_FILE names a file with the value',
  (name) => {
    const file = writeFile(temporaryFolder(), 'key', 'from-a-file\n');
    const found = findCredentials({ [`${name}_FILE`]: file });
    expect(found).toEqual({ AWS_SECRET_ACCESS_KEY: 'from-a-file' });
  },
);

test('without these variables, the SDK uses its own sources', () => {
  expect(findCredentials({ HOME: '/root' })).toEqual({});
});

describe('a key and a token for Azure', () => {
  const input = { bucket: 'backups', 'account-name': 'account' };

  test.each(['SLUICE', 'LITESTREAM'])('are read from %s_AZURE_…', (prefix) => {
    const environment = {
      [`${prefix}_AZURE_ACCOUNT_KEY`]: 'key',
      [`${prefix}_AZURE_SAS_TOKEN`]: 'token',
    };
    const found = { ...input, 'account-key': 'key', 'sas-token': 'token' };
    expect(withCredentials('abs', input, environment)).toEqual(found);
    expect(withCredentials('s3', input, environment)).toEqual(input);
  });

  test.each(['account-key', 'sas-token', 'sas-token-path', 'connection-string'])(
    'are ignored if %s is configured',
    (key) => {
      const given = { ...input, [key]: 'given' };
      expect(withCredentials('abs', given, { SLUICE_AZURE_SAS_TOKEN: 'token' })).toEqual(given);
    },
  );

  test('are used for a destination given by URL, and are redacted', async () => {
    const secrets = new Secrets();
    const environment = { LITESTREAM_AZURE_ACCOUNT_KEY: 'YSBrZXkgb2YgQXp1cmU=' };
    const url = 'abs://account@backups/app.db';
    const { target, config } = await destinationFromURL(url, '/', secrets, environment);
    expect(target).toBe(url);
    expect(config).toMatchObject({ credentials: { kind: 'shared-key', accountName: 'account' } });
    expect(secrets.clean('the key is YSBrZXkgb2YgQXp1cmU=')).not.toContain('YSBrZXkg');
  });
});
