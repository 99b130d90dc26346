/** The host's part of a configuration, with a validator other than zod. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseConfig } from '../../src/config/parse-config.ts';
import type { ConfigSchema, JSONSchema } from '../../src/config/schema.ts';
import { validate } from '../../src/config/validate.ts';
import { isError, ReplicationError } from '../../src/error.ts';

interface Output {
  readonly path: string;
  readonly [key: string]: unknown;
}

/** A custom validator: it requires `path`, and returns its input. */
function plain(json: JSONSchema, validator?: (input: unknown) => unknown): ConfigSchema<Output> {
  const own = (input: unknown): unknown =>
    (input as Partial<Output>).path === undefined
      ? { issues: [{ message: 'expected text but got undefined', path: [{ key: 'path' }] }] }
      : { value: input };
  const standard = {
    version: 1,
    vendor: 'test',
    validate: validator ?? own,
    jsonSchema: { input: () => json, output: () => json },
  };
  return { '~standard': standard as unknown as ConfigSchema<Output>['~standard'] };
}

const JSON_SCHEMA: JSONSchema = {
  type: 'object',
  properties: {
    path: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'integer' },
    ratio: { type: 'number' },
    tls: { anyOf: [{ type: 'boolean' }, { const: 'off' }] },
    verify: { type: 'boolean' },
    mode: { enum: ['fast', 'slow'] },
    login: { type: 'object', properties: { user: { type: 'string' }, port: { type: 'integer' } } },
    any: {},
  },
};

const BACKEND = {
  scheme: 'acme',
  schema: plain(JSON_SCHEMA),
  fromURL(url: URL): unknown {
    if (url.protocol !== 'acme:') throw new ReplicationError('CONFIG_INVALID', 'must be acme://');
    return { host: url.host, path: url.pathname, ...Object.fromEntries(url.searchParams) };
  },
};

function issuesOf(input: unknown, backend: Parameters<typeof parseConfig>[0] = BACKEND): string[] {
  try {
    parseConfig(backend, input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return (error.issues ?? []).map((each) => each.message);
    throw error;
  }
  return [];
}

test('text is converted to the type in the JSON Schema, and stays text if that is allowed', () => {
  const { config } = parseConfig(BACKEND, {
    path: 'p',
    host: '5',
    port: '5',
    ratio: '0.5',
    verify: 'yes',
    mode: '1',
    any: '7',
    login: { user: 'true', port: '8' },
  });
  expect(config).toEqual({
    host: '5',
    port: 5,
    ratio: 0.5,
    verify: true,
    mode: '1',
    any: '7',
    login: { user: 'true', port: 8 },
  });
});

test.each([
  ['true', true],
  ['on', true],
  ['Yes', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['perhaps', 'perhaps'],
])('the text %s is the boolean %s', (written, value) => {
  expect(parseConfig(BACKEND, { path: 'p', verify: written }).config).toEqual({ verify: value });
});

test('a value that may be text stays text', () => {
  expect(parseConfig(BACKEND, { path: 'p', tls: 'off' }).config).toEqual({ tls: 'off' });
});

test('unknown keys are refused with the closest known key, at every depth', () => {
  expect(issuesOf({ path: 'p', hots: 'x', login: { usr: 1 }, nonsense: 1 })).toEqual([
    'hots is not a key of acme: did you mean host?',
    'login.usr is not a key of login: did you mean user?',
    'nonsense is not a key of acme',
  ]);
});

test('the error for a value that must be a map names its keys', () => {
  expect(issuesOf({ path: 'p', login: 'me' })).toEqual(['login must be a map of user, port']);
});

test('a missing key is reported along with unknown keys', () => {
  expect(issuesOf({ hots: 'x' })).toEqual([
    'path is missing',
    'hots is not a key of acme: did you mean host?',
  ]);
});

test('a key without a value counts as absent', () => {
  expect(parseConfig(BACKEND, { path: 'p', host: null, port: undefined }).config).toEqual({});
});

test('type and name are not passed to the backend', () => {
  const { config, path } = parseConfig(BACKEND, { type: '@acme/x', name: 'offsite', path: 'p' });
  expect([config, path]).toEqual([{}, 'p']);
});

test('a URL is converted to keys, and keys beside it override them', () => {
  expect(parseConfig(BACKEND, { url: 'acme://h/p?port=7&verify=on', port: 8 })).toEqual({
    config: { host: 'h', port: 8, verify: true },
    path: '/p',
  });
});

test.each([
  ['s3://b/p', ['url must be acme://']],
  ['not a URL', ['url is not a URL such as s3://bucket/path']],
  ['acme://h/p\n', ['url contains a line break, or blanks around it']],
])('the URL %j is refused with one message', (url, expected) => {
  expect(issuesOf({ url })).toEqual(expected);
});

test('an invalid URL is not shown: it may contain a password', () => {
  expect(issuesOf({ url: 'acme//user:hunter2@h' }).join()).not.toContain('hunter2');
});

test('a path beside a URL is refused', () => {
  expect(issuesOf({ url: 'acme://h/p', path: 'q' })).toEqual([
    'url cannot be given together with path',
  ]);
});

test('the host may be an ARN', () => {
  const { config } = parseConfig(BACKEND, { url: 'acme://arn:aws:s3:r:1:accesspoint/p' });
  expect(config).toEqual({ host: 'arn%3Aaws%3As3%3Ar%3A1%3Aaccesspoint' });
});

test.each([['text'], [5], [null], [[]]])('%j is not a configuration', (input) => {
  expect(issuesOf(input)).toEqual([expect.stringMatching(/^acme must be a map of keys, not /)]);
});

test('a validator that returns a promise is refused', () => {
  const schema = plain(JSON_SCHEMA, async (input) => ({ value: input }));
  expect(() => parseConfig({ ...BACKEND, schema }, { path: 'p' })).toThrow(/must be synchronous/);
});

test('if any key is allowed, the validator checks them', () => {
  const schema = plain({ ...JSON_SCHEMA, additionalProperties: true });
  expect(parseConfig({ ...BACKEND, schema }, { path: 'p', color: 'red' }).config).toEqual({
    color: 'red',
  });
});

test('the message of a validator follows the key, which is not repeated', () => {
  const schema = plain(JSON_SCHEMA, () => ({
    issues: [
      { message: 'Invalid input: expected number', path: ['port'] },
      { message: 'host must be a host', path: ['host'] },
      { message: 'no host and no port' },
    ],
  }));
  expect(issuesOf({ path: 'p', port: 'x' }, { ...BACKEND, schema })).toEqual([
    'port: Invalid input: expected number',
    'host must be a host',
    'no host and no port',
  ]);
});

test('plain zod works without our fields', () => {
  const schema = z.strictObject({
    host: z.string(),
    port: z.int().max(9).default(7),
    tls: z.boolean().optional(),
    path: z.string(),
  });
  const backend = { ...BACKEND, schema };
  expect(parseConfig(backend, { host: 'h', tls: 'on', port: '8', path: 'p' })).toEqual({
    config: { host: 'h', tls: true, port: 8 },
    path: 'p',
  });
  expect(issuesOf({ port: '10', tls: 'x', pth: 'p' }, backend)).toEqual([
    'host is missing',
    'port: Too big: expected number to be <=9',
    'tls: Invalid input: expected boolean, received string',
    'path is missing',
    'pth is not a key of acme: did you mean path?',
  ]);
});

test('a section is validated by the same rules, except for ignored keys', () => {
  const result = validate(
    plain(JSON_SCHEMA),
    { path: 'p', dbs: [] },
    { what: 'top', ignored: ['dbs'] },
  );
  expect(result).toEqual({ kind: 'valid', value: { path: 'p' } });
});
