/** Compares the tables of the README with the code. */

import { readFileSync } from 'node:fs';
import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend } from '../src/index.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the table has every key', () => {
  const keys = [...Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {}), 'url'];
  expect(keys.length).toBeGreaterThan(6);
  const table = README.slice(
    README.indexOf('## Configuration'),
    README.indexOf('**Credentials.**'),
  );
  expect(keys.filter((key) => !table.includes(`| \`${key}\` |`))).toEqual([]);
});
