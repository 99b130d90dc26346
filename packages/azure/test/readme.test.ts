/** Compares the README with the code. */

import { readFileSync } from 'node:fs';
import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend } from '../src/index.ts';
import { parseConfig } from '@sluice/core/backend';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the table has every key', () => {
  const keys = [...Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {}), 'url'];
  expect(keys.length).toBeGreaterThan(6);
  const table = README.slice(
    README.indexOf('## Configuration'),
    README.indexOf('## Permissions needed'),
  );
  expect(keys.filter((key) => !table.includes(`\`${key}\``))).toEqual([]);
});

test('the URL of the example means the same as its YAML', () => {
  const [url = ''] = /abs:\/\/\S+/.exec(README) ?? [];
  const yaml = { 'account-name': 'myaccount', bucket: 'backups', path: 'app.db' };
  for (const [key, value] of Object.entries(yaml)) expect(README).toContain(`${key}: ${value}\n`);
  expect(parseConfig(backend, backend.fromURL(new URL(url)))).toEqual(parseConfig(backend, yaml));
});
