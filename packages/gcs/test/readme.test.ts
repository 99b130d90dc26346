/** The tables of the README, against the code. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('its table has every key', () => {
  const source = readFileSync(new URL('../src/config.ts', import.meta.url), 'utf8');
  const read = source.matchAll(
    /reader\.\w+\(\s*'([a-z-]+)'(?:, '([a-z-]+)')?|const key = '([a-z-]+)'/g,
  );
  const keys = new Set([...read].flatMap(([, ...found]) => found.filter(Boolean)));
  for (const key of ['type', 'name']) keys.delete(key);
  expect(keys.size).toBe(7);
  const table = README.slice(
    README.indexOf('## Configuration'),
    README.indexOf('**Credentials.**'),
  );
  expect([...keys].filter((key) => !table.includes(`| \`${key}\` |`))).toEqual([]);
});
