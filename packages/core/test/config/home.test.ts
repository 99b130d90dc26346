import { afterEach, expect, test, vi } from 'vitest';
import { expandHome, homeFolder } from '../../src/config/home.ts';
import { isError } from '../../src/error.ts';

afterEach(() => vi.unstubAllEnvs());

test('~ is expanded to the home folder, alone and at the beginning', () => {
  vi.stubEnv('HOME', '/home/me');
  expect(['~', '~/a/b', '/a/~', '~other/a', 'a'].map(expandHome)).toEqual([
    '/home/me',
    '/home/me/a/b',
    '/a/~',
    '~other/a',
    'a',
  ]);
});

test('only ~ is refused for a user without a home folder', () => {
  vi.stubEnv('HOME', '');
  expect(homeFolder()).toBeUndefined();
  expect(expandHome('/a')).toBe('/a');
  let thrown: unknown;
  try {
    expandHome('~/a');
  } catch (error) {
    thrown = error;
  }
  expect(isError(thrown, 'CONFIG_INVALID')).toBe(true);
  expect(String(thrown)).toContain('~/a: this user has no home folder; set HOME');
});
