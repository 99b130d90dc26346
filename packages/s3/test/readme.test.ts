/** Compares the tables of the README with the code. */

import { readFileSync } from 'node:fs';
import { jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { backend } from '../src/index.ts';
import { OTHER, PRESETS } from '../src/presets.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the table has every key', () => {
  const keys = [...Object.keys(propertiesOf(jsonSchemaOf(backend.schema)) ?? {}), 'url'];
  expect(keys.length).toBeGreaterThan(6);
  const table = README.slice(README.indexOf('## Configuration'), README.indexOf('### Providers'));
  const missing = keys.filter((key) => !table.includes(`\`${key}\``));
  expect(missing).toEqual([]);
});

test('the table of providers matches the presets', () => {
  const checksums = {
    md5: 'Content-MD5',
    crc32: 'CRC-32',
    none: 'nothing',
  };
  for (const preset of [OTHER, ...PRESETS]) {
    const row = [
      preset === OTHER ? 'any other' : preset.name,
      checksums[preset.deleteChecksum],
      preset.partsAtOnce,
      preset.partsMax.toLocaleString('en'),
      preset.hasConditions ? 'claimed' : 'not claimed',
    ];
    expect(README).toContain(`| ${row.join(' | ')} |`);
  }
});
