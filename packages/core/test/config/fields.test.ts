import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import {
  boolean,
  bucketName,
  choice,
  duration,
  endpoint,
  exclusive,
  filePath,
  integer,
  keyPath,
  requires,
  rules,
  secret,
  secretFile,
  size,
  text,
  texts,
  together,
} from '../../src/backend-config.ts';
import { jsonSchemaOf, type ConfigSchema } from '../../src/config/schema.ts';
import { validate } from '../../src/config/validate.ts';

interface Read {
  value?: unknown;
  issues: string[];
}

function read(schema: ConfigSchema<unknown>, input: unknown): Read {
  const result = validate(schema, input, { what: 's3' });
  if (result.kind === 'valid') return { value: result.value, issues: [] };
  return { issues: result.issues.map(({ message }) => message) };
}

test('values are converted to their units', () => {
  const schema = z.strictObject({
    bucket: bucketName('b'),
    size: size('s'),
    bytes: size('s'),
    wait: duration('w'),
    zero: duration('w'),
    on: boolean('o'),
    off: boolean('o'),
    n: integer('n'),
    names: texts('n'),
    mode: choice('m', ['Fast', 'slow']),
    at: endpoint('e'),
    key: filePath('k'),
    path: keyPath(),
    absent: text('a').optional(),
    standard: size('s').prefault('8MiB'),
  });
  const input = {
    bucket: 'b',
    size: '10MiB',
    bytes: 7,
    wait: '1m',
    zero: 0,
    on: true,
    off: 'false',
    n: '8',
    names: ['a'],
    mode: 'fast',
    at: 'https://s3.example.com/v1/',
    key: '~/.ssh/id',
  };
  expect(read(schema, input)).toEqual({
    issues: [],
    value: {
      bucket: 'b',
      size: 10_485_760,
      bytes: 7,
      wait: 60_000,
      zero: 0,
      on: true,
      off: false,
      n: 8,
      names: ['a'],
      mode: 'Fast',
      at: 'https://s3.example.com/v1',
      key: join(homedir(), '.ssh/id'),
      path: '',
      standard: 8_388_608,
    },
  });
});

test('all problems are reported at once', () => {
  const schema = z.strictObject({
    bucket: text('b'),
    path: text('p'),
    retries: integer('r'),
    wait: duration('w'),
    size: size('s'),
    mode: choice('m', ['fast', 'slow']),
    on: boolean('o'),
    region: text('r').optional(),
    names: texts('n'),
    empty: text('e'),
    few: integer('f', { min: 1 }),
    many: integer('m', { max: 10 }),
    small: size('s', { min: 5_242_880 }),
    tls: z.strictObject({ cert: text('c'), ca: text('c').optional() }),
  });
  const input = {
    bucket: 7,
    retries: 'many',
    wait: '5 mins',
    size: '1XB',
    mode: 'fsat',
    on: 1,
    regoin: 'x',
    names: [1],
    empty: '',
    few: '0',
    many: 11,
    small: '1MiB',
    tls: { cert: true, ca2: 1 },
  };
  expect(read(schema, input).issues).toEqual([
    'bucket must be text, not a number: put it in quotes',
    'path is missing',
    'retries must be a whole number, not "many"',
    'wait must be a duration such as 1s, 5m or 24h, not "5 mins"',
    'size must be a size such as 10MB or 10MiB, not "1XB"',
    'mode must be one of fast, slow, not "fsat": did you mean fast?',
    'on must be true or false, not 1',
    'names must be a list of texts',
    'empty is empty',
    'few is 0: the minimum is 1',
    'many is 11: the maximum is 10',
    'small is 1048576 bytes: the minimum is 5242880 bytes',
    'tls.cert must be text, not a boolean: put it in quotes',
    'regoin is not a key of s3: did you mean region?',
    'tls.ca2 is not a key of tls: did you mean ca?',
  ]);
});

test('rules between keys are checked even if a value is invalid', () => {
  const schema = z
    .strictObject({
      size: size('s').optional(),
      url: text('u').optional(),
      path: text('p').optional(),
      id: text('i').optional(),
      key: secret('k').optional(),
      passphrase: secret('p').optional(),
    })
    .superRefine(
      ...rules(exclusive('url', 'path'), together('id', 'key'), requires('passphrase', 'key')),
    );
  const input = { size: 'x', url: 'u', path: '', id: 'x', passphrase: 'p' };
  expect(read(schema, input).issues).toEqual([
    'size must be a size such as 10MB or 10MiB, not "x"',
    'path is empty',
    'path cannot be given together with url',
    'key is missing beside id',
    'passphrase needs key beside it',
  ]);
  expect(read(schema, { id: 'x', key: 'k', url: 'u' }).issues).toEqual([]);
});

test('no message shows a secret or the value of an unknown key', () => {
  const schema = z.strictObject({
    key: secret('k'),
    other: secret('o', { check: () => 'is wrong' }),
    endpoint: endpoint('e'),
  });
  const { issues } = read(schema, {
    key: ['hunter2'],
    other: 'hunter2',
    endpoint: 'https://me:hunter2@h',
    secert: 'hunter2',
  });
  expect(issues).toHaveLength(4);
  expect(issues.join()).not.toContain('hunter2');
});

test('line breaks around a secret are removed', () => {
  const schema = z.strictObject({ key: secret('k'), password: secret('p') });
  const { value } = read(schema, { key: '\nAKIA\n\n', password: ' two blanks \r\n' });
  const { key, password } = value as { key: { reveal(): string }; password: { reveal(): string } };
  expect([key.reveal(), password.reveal()]).toEqual(['AKIA', ' two blanks ']);
  expect(read(schema, { key: '\n', password: 'x' }).issues).toEqual(['key is empty']);
});

test('a secret may be in a file, and white space around it is removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-fields-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  const schema = z.strictObject({ key: secretFile('k') }).transform(({ key }) => key.reveal());
  writeFileSync(file, 'hunter2\n');
  expect(read(schema, { key: file }).value).toBe('hunter2');
  writeFileSync(file, '\n');
  expect(read(schema, { key: file }).issues).toEqual(['key names an empty file']);
  const missing = read(schema, { key: join(folder, 'other') }).issues;
  expect(missing).toEqual([expect.stringMatching(/^key cannot be read: ENOENT/)]);
});

test('the JSON Schema contains everything in a schema', () => {
  const schema = z.strictObject({
    key: secret('the key', { example: 'abc' }).optional(),
    part: size('of uploads', { min: 1024, max: 2 ** 20 }).prefault('8KiB'),
    wait: duration('between tries', { min: 10 }),
    mode: choice('how', ['a', 'b'], { defaultText: 'what fits' }).optional(),
    id: text('who', { file: true }).optional(),
  });
  expect(jsonSchemaOf(schema)).toEqual({
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    additionalProperties: false,
    required: ['wait'],
    properties: {
      key: {
        type: 'string',
        writeOnly: true,
        'x-kind': 'secret',
        description: 'the key',
        examples: ['abc'],
      },
      part: {
        type: ['string', 'integer'],
        'x-kind': 'size',
        description: 'of uploads',
        default: '8KiB',
        'x-min': '1 KiB',
        'x-max': '1 MiB',
      },
      wait: {
        type: 'string',
        'x-kind': 'duration',
        description: 'between tries',
        'x-min': '10ms',
      },
      mode: { type: 'string', enum: ['a', 'b'], description: 'how', 'x-default': 'what fits' },
      id: { type: 'string', description: 'who', 'x-file': true },
    },
  });
});
