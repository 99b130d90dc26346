/** The tables of the README, against the code. */

import { readFileSync } from 'node:fs';
import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend } from '../src/index.ts';
import { OTHER, PRESETS } from '../src/presets.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('its table has every key', () => {
  const keys = [...Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {}), 'url'];
  expect(keys.length).toBeGreaterThan(6);
  const table = README.slice(README.indexOf('## Configuration'), README.indexOf('### Providers'));
  const missing = keys.filter((key) => !table.includes(`\`${key}\``));
  expect(missing).toEqual([]);
});

test('its table of providers is that of the presets', () => {
  const carried = {
    md5: 'Content-MD5',
    crc32: 'CRC-32',
    none: 'nothing',
    'one-by-one': 'one by one',
  };
  for (const preset of [OTHER, ...PRESETS]) {
    const row = [
      preset === OTHER ? 'any other' : preset.name,
      carried[preset.deletes],
      preset.partsAtOnce,
      preset.partsMax.toLocaleString('en'),
      preset.conditions === 'honoured' ? 'claimed' : 'not claimed',
    ];
    expect(README).toContain(`| ${row.join(' | ')} |`);
  }
});
