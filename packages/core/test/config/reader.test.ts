import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { ConfigReader } from '../../src/config/reader.ts';
import { isError } from '../../src/error.ts';

interface Read {
  value: unknown;
  issues: string[];
  paths: (readonly (string | number)[])[];
}

function read(input: unknown, ask: (reader: ConfigReader) => unknown): Read {
  const reader = new ConfigReader('s3', input);
  const value = ask(reader);
  try {
    reader.finish();
    return { value, issues: [], paths: [] };
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const issues = error.issues ?? [];
    return {
      value,
      issues: issues.map((issue) => issue.message),
      paths: issues.map((issue) => issue.path),
    };
  }
}

test('values come out in their units', () => {
  const input = {
    bucket: 'b',
    size: '10MiB',
    bytes: 7,
    wait: '1m',
    on: true,
    off: 'false',
    n: '8',
    names: ['a'],
    zero: 0,
  };
  const { value, issues } = read(input, (reader) => [
    reader.requiredString('bucket'),
    reader.sizeBytes('size'),
    reader.sizeBytes('bytes'),
    reader.durationMs('wait'),
    reader.boolean('on'),
    reader.boolean('off'),
    reader.integer('n'),
    reader.strings('names'),
    reader.durationMs('zero'),
    reader.secret('bucket')?.reveal(),
    reader.string('absent'),
    reader.oneOf('bucket', ['a', 'b']),
  ]);
  expect(issues).toEqual([]);
  expect(value).toEqual([
    'b',
    10_485_760,
    7,
    60_000,
    true,
    false,
    8,
    ['a'],
    0,
    'b',
    undefined,
    'b',
  ]);
});

test('all problems are told at once, each with its path', () => {
  const input = {
    bucket: 7,
    retries: 'many',
    wait: '5 mins',
    size: '1XB',
    mode: 'fsat',
    on: 1,
    regoin: 'x',
    tls: { cert: true, ca2: 1 },
    names: [1],
  };
  const { issues, paths } = read(input, (reader) => {
    reader.requiredString('bucket');
    reader.requiredString('path');
    reader.integer('retries');
    reader.durationMs('wait');
    reader.sizeBytes('size');
    reader.oneOf('mode', ['fast', 'slow']);
    reader.boolean('on');
    reader.string('region');
    reader.strings('names');
    const tls = reader.object('tls');
    tls?.string('cert');
    tls?.string('ca');
  });
  expect(issues).toEqual([
    'bucket must be text, not a number: put it in quotes',
    'path is missing',
    'retries must be a whole number, not "many"',
    'wait must be a duration such as 1s, 5m or 24h, not "5 mins"',
    'size must be a size such as 10MiB, not "1XB"',
    'mode is "fsat": did you mean fast?',
    'on must be true or false, not 1',
    'names must be a list of texts',
    'tls.cert must be text, not a boolean: put it in quotes',
    'regoin is not a key of s3: did you mean region?',
    'tls.ca2 is not a key of tls: did you mean ca?',
  ]);
  expect(paths).toContainEqual(['tls', 'ca2']);
});

test('limits, exclusive keys and keys that belong together are held', () => {
  const { issues } = read({ size: '1MiB', n: 11, url: 'u', path: 'p', id: 'x' }, (reader) => {
    reader.sizeBytes('size', { min: 5_242_880 });
    reader.integer('n', { max: 10 });
    reader.ignore('url', 'path', 'id', 'key');
    reader.exclusive('url', 'path');
    reader.together('id', 'key');
  });
  expect(issues).toEqual([
    'size is 1048576 bytes: the least is 5242880',
    'n is 11: the most is 10',
    'path cannot be given together with url',
    'key is missing beside id',
  ]);
});

test('an empty text, a null and a negative number are no values', () => {
  const { value, issues } = read({ a: '', b: null, c: -1 }, (reader) => [
    reader.string('a'),
    reader.string('b'),
    reader.integer('c'),
  ]);
  expect(value).toEqual([undefined, undefined, undefined]);
  expect(issues).toEqual(['a is empty', 'c is -1: the least is 0']);
});

test('what is no map of keys is said to be none', () => {
  expect(read('s3', () => undefined).issues).toEqual(['s3 must be a map of keys, not "s3"']);
  expect(read([], () => undefined).issues).toEqual(['s3 must be a map of keys, not a list']);
  expect(read({ tls: 1 }, (reader) => reader.object('tls')).issues).toEqual([
    'tls must be a map of keys, not 1',
  ]);
});

test('no message shows a secret, nor a value under an unknown key', () => {
  const { issues } = read({ key: ['hunter2'], secert: 'hunter2' }, (reader) => [
    reader.secret('key'),
    reader.secret('secret'),
  ]);
  expect(issues).toHaveLength(2);
  expect(issues.join()).not.toContain('hunter2');
});

test('a secret may stand in a file, but not in both places', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reader-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  writeFileSync(file, 'hunter2\n');
  const ask = (input: unknown): Read => {
    return read(input, (reader) => {
      const given = reader.secretOrFile('key', 'key-path');
      return given && [given.secret.reveal(), given.key];
    });
  };
  expect(ask({})).toMatchObject({ value: undefined, issues: [] });
  expect(ask({ key: 'hunter3' })).toMatchObject({ value: ['hunter3', 'key'], issues: [] });
  expect(ask({ 'key-path': file })).toMatchObject({ value: ['hunter2', 'key-path'], issues: [] });
  const both = ask({ key: 'hunter3', 'key-path': file });
  expect(both.issues).toEqual(['key-path cannot be given together with key']);
  const missing = ask({ 'key-path': join(folder, 'other') });
  expect(missing.issues).toEqual([expect.stringMatching(/^key-path cannot be read: ENOENT/)]);
});

test('what variables have around a secret is not part of it', () => {
  const input = { key: '\nAKIA\n\n', password: ' two blanks \r\n', empty: '\n' };
  const { value, issues } = read(input, (reader) => [
    reader.secret('key')?.reveal(),
    reader.secret('password')?.reveal(),
    reader.secret('empty'),
  ]);
  expect(value).toEqual(['AKIA', ' two blanks ', undefined]);
  expect(issues).toEqual(['empty is empty']);
});
