import { expect, test } from 'vitest';
import { parseEndpoint, withKeysOfURL } from '../../src/config/url-input.ts';

const read = (url: string): Record<string, unknown> | undefined =>
  url.startsWith('x://') ? { bucket: url.slice(4), path: 'db' } : undefined;

test('a URL gives the keys that are not given otherwise', () => {
  const input = { url: 'x://b', path: 'other' };
  expect(withKeysOfURL(input, read)).toEqual({ url: 'x://b', bucket: 'b', path: 'other' });
});

test('what is no URL of this kind is left for the reader to refuse', () => {
  for (const input of [{ url: 'y://b' }, { url: 7 }, { bucket: 'b' }, 'x://b', null]) {
    expect(withKeysOfURL(input, read)).toBe(input);
  }
});

test('an endpoint is a place of HTTP, and holds no secret', () => {
  expect(parseEndpoint('https://host:9000/path')?.href).toBe('https://host:9000/path');
  const refused = ['host', 'ftp://h', 'http://u@h', 'http://u:p@h', 'http://h?sig=1', 'http://h#x'];
  expect(refused.filter((text) => parseEndpoint(text) !== undefined)).toEqual([]);
});
