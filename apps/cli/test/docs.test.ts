/** The documentation matches the schemas and tables. `vitest -u` regenerates it. */

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '@sluice/core';
import { EXIT_CODES } from '../src/exit-codes.ts';
import { renderManual } from '../src/packaging/manual.ts';
import { COMMANDS } from '../src/surface/commands.ts';
import { VARIABLES } from '../src/surface/environment.ts';
import { EXIT_OF_ERROR } from '../src/exit-of-error.ts';
import { renderCommands } from './docs/commands.ts';
import {
  JSON_COMMANDS,
  JSON_SCHEMAS,
  parseOutput,
  renderOutputSchema,
} from './docs/json-schemas.ts';
import { JSON_SHAPES } from './docs/json-shapes.ts';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { renderConfiguration } from './docs/configuration.ts';
import { renderMetrics } from './docs/metrics.ts';
import { SCHEMA_URL } from '../src/config/schema-url.ts';
import { readText } from './support/configuration.ts';
import { renderJSONSchema } from './docs/json-schema.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('docs/commands.md matches the table of commands', async () => {
  await expect(renderCommands()).toMatchFileSnapshot(`${ROOT}docs/commands.md`);
});

test('docs/metrics.md matches the families of metrics', async () => {
  await expect(renderMetrics()).toMatchFileSnapshot(`${ROOT}docs/metrics.md`);
});

test('the manual page matches the tables of commands and variables', async () => {
  const file = `${ROOT}apps/cli/man/sluice.1`;
  await expect(renderManual(COMMANDS, VARIABLES)).toMatchFileSnapshot(file);
});

test('docs/configuration.md matches the schemas and the table of variables', async () => {
  const example = fs.readFileSync(`${ROOT}examples/sluice.yml`, 'utf8');
  await expect(await renderConfiguration(example)).toMatchFileSnapshot(
    `${ROOT}docs/configuration.md`,
  );
});

test('sluice.schema.json matches the schemas', async () => {
  const file = `${ROOT}apps/cli/sluice.schema.json`;
  await expect(await renderJSONSchema()).toMatchFileSnapshot(file);
});

test('every command that prints JSON has a schema, and nothing else has one', () => {
  expect(Object.keys(JSON_SCHEMAS).sort()).toEqual([...JSON_COMMANDS].sort());
  const files = fs.readdirSync(`${ROOT}apps/cli/schemas`);
  expect(files.sort()).toEqual(JSON_COMMANDS.map((name) => `${name}.json`).sort());
  const manifest = fs.readFileSync(`${ROOT}apps/cli/package.json`, 'utf8');
  expect(JSON.parse(manifest)).toMatchObject({
    files: expect.arrayContaining(['schemas']) as unknown,
  });
});

test.each(JSON_COMMANDS)('the schema of %s -json is up to date', async (command) => {
  const file = `${ROOT}apps/cli/schemas/${command}.json`;
  await expect(renderOutputSchema(command)).toMatchFileSnapshot(file);
});

/** Examples that are shortened with an ellipsis, or are events on stderr, are not examined. */
const EXAMPLES = JSON_COMMANDS.flatMap((command) =>
  [...(JSON_SHAPES[command] ?? '').matchAll(/```json\n([^]*?)\n```/g)]
    .map(([, text = '']) => text)
    .filter((text) => !/[{:]…[},]/.test(text) && !text.startsWith('{"event":"progress"'))
    .map((text) => [command, text] as const),
);

test.each(EXAMPLES)(
  'the example of %s -json in docs/commands.md has the form that the command prints: %#',
  (command, text) => {
    expect(() => parseOutput(command, text)).not.toThrow();
  },
);

test('docs/commands.md has an example for each command, but a bundle for support is too long', () => {
  const shown = new Set(EXAMPLES.map(([command]) => command));
  expect(JSON_COMMANDS.filter((command) => !shown.has(command))).toEqual(['diagnose']);
});

const validateFile = new Ajv({ strict: false }).compile(
  JSON.parse(await renderJSONSchema()) as object,
);

function mistakesOf(text: string): string[] {
  validateFile(parse(text));
  return (validateFile.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath} ${message}`,
  );
}

test.each(fs.readdirSync(`${ROOT}examples`).filter((name) => name.endsWith('.yml')))(
  'examples/%s names the JSON Schema and is valid',
  (name) => {
    const text = fs.readFileSync(`${ROOT}examples/${name}`, 'utf8');
    expect(text.split('\n')[0]).toBe(`# yaml-language-server: $schema=${SCHEMA_URL}`);
    expect(mistakesOf(text)).toEqual([]);
  },
);

const configuration = fs.readFileSync(`${ROOT}docs/configuration.md`, 'utf8');
/** Blocks without a database get one. */
const blocks = [...configuration.matchAll(/^```yaml\n([^]*?)^```/gm)]
  .map(([, text = '']) => text)
  .filter((text) => !/^dbs:/m.test(text))
  .map((text) => `${text}\ndbs: [{ path: /d, replica: { path: /b } }]\n`);

test('docs/configuration.md has examples of sections', () => {
  expect(blocks.length).toBeGreaterThan(1);
});

test.each(blocks)('the example of docs/configuration.md is valid: %j', async (text) => {
  expect(mistakesOf(text)).toEqual([]);
  const environment = { NTFY_TOKEN: 'token', SLACK_WEBHOOK_URL: 'https://hooks.slack.com/x' };
  expect((await readText(text, environment)).notes).toEqual([]);
});

test.each([
  'dbs: []',
  'dbs: [{ path: /d }]',
  'dbs: [{ dir: /d, replica: { path: /b } }]',
  'dbs: [{ path: /d, replica: { path: /b, bucket: b } }]',
  'dbs: [{ path: /d, replica: { type: s3, bukcet: b } }]',
  'dbs: [{ path: /d, replica: { url: "s3://b/p", host: h } }]',
  'dbs: [{ path: /d, replica: { type: s3, bucket: b, concurrency: many } }]',
  'dbs: [{ path: /d, restore-if-db-not-exists: 5, replica: { path: /b } }]',
  'logging: { level: loud }\ndbs: [{ path: /d, replica: { path: /b } }]',
  'adr: ":1"\ndbs: [{ path: /d, replica: { path: /b } }]',
])('an editor marks %j', (text) => {
  expect(mistakesOf(text)).not.toEqual([]);
});

test.each([
  'dbs: [{ path: /d, replica: { type: gcs, bucket: b, part-size: 1048576 } }]',
  'dbs: [{ path: /d, replica: { url: "gs://b/p", credentials-file: /k } }]',
  'dbs: [{ path: /d, replica: { type: "@acme/sluice-http", retries: 5, any: { key: 1 } } }]',
  'dbs: [{ path: /d, replica: { type: sftp, host: h, user: u, password-file: /p, retention: 72h } }]',
  'dbs: [{ dir: /d, pattern: "*.db", recursive: true, replica: { path: /b } }]',
  'region: r\nsync-interval: $EVERY\ndbs: [{ path: /d, truncate-page-n: $N, replica: { path: /b } }]',
])('an editor accepts %j', (text) => {
  expect(mistakesOf(text)).toEqual([]);
});

const errors = fs.readFileSync(`${ROOT}docs/errors.md`, 'utf8');

test('docs/errors.md has exactly one section for each code', () => {
  const sections = [...errors.matchAll(/^### ([A-Z_]+)$/gm)].map(([, code]) => code);
  expect(new Set(sections)).toEqual(new Set(Object.keys(ERROR_CODES)));
  expect(new Set(sections).size).toBe(sections.length);
});

test.each(Object.keys(ERROR_CODES) as ErrorCode[])(
  'docs/errors.md has the exit code of %s, and whether it is retried',
  (code) => {
    const section = errors.split(`### ${code}\n`)[1]?.split(/^##/m)[0] ?? '';
    const retried = ERROR_CODES[code].retryable ? 'Retried' : 'Not retried';
    expect(section).toContain(`*${retried}. Exit code ${EXIT_CODES[EXIT_OF_ERROR[code]]}.*`);
    // The meaning and the next step.
    expect(section.replace(/^\*.*\*$/m, '').trim().length).toBeGreaterThan(60);
  },
);

test('docs/errors.md lists every exit code', () => {
  const table = errors.split('## Exit codes\n')[1]?.split(/^## /m)[0] ?? '';
  const listed = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(listed).toEqual(Object.values(EXIT_CODES).sort((a, b) => a - b));
});
