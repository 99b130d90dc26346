import { afterEach, expect, test, vi } from 'vitest';
import { expandHome, homeFolder } from '../../src/config/home.ts';
import { isError } from '../../src/error.ts';

afterEach(() => vi.unstubAllEnvs());

test('~ is the home folder, at the beginning and alone', () => {
  vi.stubEnv('HOME', '/home/me');
  expect(['~', '~/a/b', '/a/~', '~other/a', 'a'].map(expandHome)).toEqual([
    '/home/me',
    '/home/me/a/b',
    '/a/~',
    '~other/a',
    'a',
  ]);
});

test('for a user without a home folder ~ is refused, and nothing else', () => {
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
