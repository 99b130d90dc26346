/** The environment as vendors' SDKs can read it. */

import { expect, test } from 'vitest';
import { normalizeEnvironment, type Environment } from '../../src/config/environment.ts';

const AT_HOME = (): string => '/home/app';

const HOMELESS = (): undefined => undefined;

test('white space around a variable is left out, and that is told without its value', () => {
  const env: Environment = { AWS_SECRET_ACCESS_KEY: ' secret\n', OTHER: ' other ' };
  const told = normalizeEnvironment(/^AWS_/, env, AT_HOME);
  expect(env).toEqual({ AWS_SECRET_ACCESS_KEY: 'secret', OTHER: ' other ' });
  expect(told).toEqual([expect.stringContaining('AWS_SECRET_ACCESS_KEY')]);
  expect(told.join()).not.toContain('secret\n');
});

test('a proxy without a scheme gets one; others stay as they are', () => {
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

test('a user without a home has /', () => {
  const env: Environment = {};
  expect(normalizeEnvironment(/^AWS_/, env, HOMELESS)).toHaveLength(1);
  expect(env).toEqual({ HOME: '/' });
});

test('a user with a home, and one whose HOME is given, keep it', () => {
  const [withHome, given]: Environment[] = [{}, { HOME: '/data' }];
  normalizeEnvironment(/^AWS_/, withHome, AT_HOME);
  normalizeEnvironment(/^AWS_/, given, HOMELESS);
  expect([withHome, given]).toEqual([{}, { HOME: '/data' }]);
});
