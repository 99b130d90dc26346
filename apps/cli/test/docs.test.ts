/** The documentation says what the tables say. `vitest -u` writes it anew. */

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '@sluice/core';
import { EXIT_CODES } from '../src/exit-codes.ts';
import { EXIT_OF_ERROR } from '../src/exit-of-error.ts';
import { renderCommands } from './docs/commands.ts';
import { renderConfiguration } from './docs/configuration.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('docs/commands.md is what the table of commands says', async () => {
  await expect(renderCommands()).toMatchFileSnapshot(`${ROOT}docs/commands.md`);
});

test('docs/configuration.md is what the tables of keys and variables say', async () => {
  const example = fs.readFileSync(`${ROOT}examples/sluice.yml`, 'utf8');
  await expect(renderConfiguration(example)).toMatchFileSnapshot(`${ROOT}docs/configuration.md`);
});

const errors = fs.readFileSync(`${ROOT}docs/errors.md`, 'utf8');

test('docs/errors.md has one section for each code, and none for others', () => {
  const sections = [...errors.matchAll(/^### ([A-Z_]+)$/gm)].map(([, code]) => code);
  expect(new Set(sections)).toEqual(new Set(Object.keys(ERROR_CODES)));
  expect(new Set(sections).size).toBe(sections.length);
});

test.each(Object.keys(ERROR_CODES) as ErrorCode[])(
  'docs/errors.md says of %s whether it is retried, and the exit code',
  (code) => {
    const section = errors.split(`### ${code}\n`)[1]?.split(/^##/m)[0] ?? '';
    const retried = ERROR_CODES[code].retryable ? 'Retried' : 'Not retried';
    expect(section).toContain(`*${retried}. Exit code ${EXIT_CODES[EXIT_OF_ERROR[code]]}.*`);
    // A meaning, and what to do.
    expect(section.replace(/^\*.*\*$/m, '').trim().length).toBeGreaterThan(60);
  },
);

test('docs/errors.md lists every exit code', () => {
  const table = errors.split('## Exit codes\n')[1]?.split(/^## /m)[0] ?? '';
  const listed = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(listed).toEqual(Object.values(EXIT_CODES).sort((a, b) => a - b));
});
