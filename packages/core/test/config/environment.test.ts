/** Normalizes the environment for vendors' SDKs. */

import { expect, test } from 'vitest';
import { normalizeEnvironment, type Environment } from '../../src/config/environment.ts';

const AT_HOME = (): string => '/home/app';

const HOMELESS = (): undefined => undefined;

test('white space around a variable is removed, and logged without its value', () => {
  const env: Environment = { AWS_SECRET_ACCESS_KEY: ' secret\n', OTHER: ' other ' };
  const lines = normalizeEnvironment(/^AWS_/, env, AT_HOME);
  expect(env).toEqual({ AWS_SECRET_ACCESS_KEY: 'secret', OTHER: ' other ' });
  expect(lines).toEqual([expect.stringContaining('AWS_SECRET_ACCESS_KEY')]);
  expect(lines.join()).not.toContain('secret\n');
});

test('a proxy without a scheme gets one; others do not change', () => {
  const env: Environment = {
    HTTPS_PROXY: '10.0.0.1:3128',
    http_proxy: 'proxy:3128\n',
    HTTP_PROXY: 'https://proxy:3128',
  };
  normalizeEnvironment(/^AWS_/, env, AT_HOME);
  expect(env).toEqual({
    HTTPS_PROXY: 'http://10.0.0.1:3128',
    http_proxy: 'http://proxy:3128',
    HTTP_PROXY: 'https://proxy:3128',
  });
});

test('a user without a home folder gets HOME=/', () => {
  const env: Environment = {};
  expect(normalizeEnvironment(/^AWS_/, env, HOMELESS)).toHaveLength(1);
  expect(env).toEqual({ HOME: '/' });
});

test('an existing home folder or HOME is kept', () => {
  const [withHome, given]: Environment[] = [{}, { HOME: '/data' }];
  normalizeEnvironment(/^AWS_/, withHome, AT_HOME);
  normalizeEnvironment(/^AWS_/, given, HOMELESS);
  expect([withHome, given]).toEqual([{}, { HOME: '/data' }]);
});
