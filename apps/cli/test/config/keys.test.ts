/** Tests that each key has an effect, and that each key of Litestream is supported, ignored with a note, or refused. */

import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { parseConfig } from '@sluice/core/backend';
import { isMap } from '@sluice/core/config';
import { OWN_TYPES } from '../../src/backends.ts';
import { WORDS, type Word } from '../../src/litestream.ts';
import { loadBackend } from '../../src/load-backend.ts';
import { effectOf, exampleOf, nest, readText, withValues } from '../support/configuration.ts';
import type { Values } from '../support/configuration.ts';
import { rowsOf, type Row } from '../support/rows.ts';

/** Keys that a key requires, and another value of it for comparison. */
const BESIDE: Readonly<Record<string, { beside: Values; other: Values }>> = {
  'access-key-id': {
    beside: { 'secret-access-key': 'example-secret' },
    other: { 'access-key-id': 'other' },
  },
  'secret-access-key': {
    beside: { 'access-key-id': 'example' },
    other: { 'secret-access-key': 'other-secret' },
  },
  'session-token': {
    beside: { 'access-key-id': 'example', 'secret-access-key': 'example-secret' },
    other: { 'session-token': 'other-token' },
  },
  'object-lock-mode': {
    beside: { 'object-lock-retention': '720h' },
    other: { 'object-lock-mode': 'COMPLIANCE' },
  },
  'object-lock-retention': {
    beside: { 'object-lock-mode': 'GOVERNANCE' },
    other: { 'object-lock-retention': '1h' },
  },
  'sse-customer-key-md5': {
    beside: { 'sse-customer-key': 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' },
    other: {},
  },
  'heartbeat.interval': { beside: { heartbeat: { url: 'https://a.example' } }, other: {} },
  'heartbeat-interval': { beside: { 'heartbeat-url': 'https://a.example' }, other: {} },
  passphrase: { beside: { 'key-path': '/etc/key' }, other: { passphrase: 'other' } },
};

const IN_DIRECTORY = { path: undefined, dir: '/data/other', pattern: '*.sqlite' };
/** The same for keys of a directory. */
const BESIDE_DIRECTORY: typeof BESIDE = Object.fromEntries(
  ['dir', 'pattern', 'recursive', 'watch', 'meta-dir'].map((key) => [
    key,
    { beside: IN_DIRECTORY, other: {} },
  ]),
);

const OTHER_RECIPIENT = 'age1xmf2rvs0m7hjc6wa56tfvkekwmghxw3r09cfagc39juswwfvvvyqafhgm0';
const ENCRYPTED = { encryption: { recipients: [OTHER_RECIPIENT] } };
const ENCRYPTED_03 = { age: { recipients: [OTHER_RECIPIENT] } };
/** The same for keys of encryption. */
const BESIDE_ENCRYPTION: typeof BESIDE = {
  encryption: { beside: ENCRYPTED, other: ENCRYPTED },
  age: { beside: ENCRYPTED_03, other: ENCRYPTED_03 },
};

/** The same for type abs. */
const BESIDE_ABS: typeof BESIDE = {
  'account-name': { beside: {}, other: { 'account-name': 'other' } },
  bucket: { beside: {}, other: { bucket: 'others' } },
  'connection-string': {
    beside: { 'account-name': undefined },
    other: { 'connection-string': 'AccountName=other;AccountKey=a2V5' },
  },
};

/** Two configurations that differ only in the key. */
function pair(row: Row): { readonly before: string; readonly after: string } {
  const table = row.of === 'abs' ? BESIDE_ABS : BESIDE;
  const [group = ''] = row.name.split('.');
  const { beside = {}, other = {} } =
    BESIDE_ENCRYPTION[group] ??
    BESIDE_DIRECTORY[group] ??
    table[row.name.replace(/-file$/, '')] ??
    {};
  return {
    before: withValues(row, merged(beside, other)),
    after: withValues(row, merged(beside, exampleOf(row))),
  };
}

/** Both, and the keys of both in a group that both have. */
function merged(a: Values, b: Values): Values {
  const groups = Object.keys(a).filter((key) => isMap(a[key]) && isMap(b[key]));
  const both = groups.map((key) => [key, Object.assign({}, a[key], b[key])]);
  return { ...a, ...b, ...Object.fromEntries(both) };
}

const ROWS = (await rowsOf()).map((row) => ({ ...row, title: `${row.scope} ${row.name}` }));
/** Keys that only state a default, check another key, or need a second destination. They have tests of their own. */
const NO_CHANGE = ['type', 'sse-customer-algorithm', 'sse-customer-key-md5', 'enabled'];

test.each(ROWS.filter(({ name }) => !NO_CHANGE.includes(name)))(
  '$title of $of has an effect',
  async (row) => {
    const { before, after } = pair(row);
    // These top-level keys need another value to compare with, because destinations require them.
    const isPlace = row.scope === 'top' && ['bucket', 'host', 'user'].includes(row.name);
    const from = isPlace ? withValues(row, nest(row.name, 'another')) : before;
    expect(effectOf(await readText(after))).not.toBe(effectOf(await readText(from)));
  },
);

test.each(ROWS)('$title of $of has a description and a type', ({ json }) => {
  expect(json.description).toMatch(/./);
  const isWritten = json.type !== undefined || json.enum !== undefined;
  expect(isWritten).toBe(true);
});

test('the default type is file', async () => {
  const row = { scope: 'replica' } as const;
  const read = await readText(withValues(row, { type: 'file' }));
  expect(effectOf(read)).toBe(effectOf(await readText(withValues(row, {}))));
});

test('sse-customer-algorithm must be AES256, and the MD5 must match the key', async () => {
  const row = { scope: 'replica', of: 's3' } as const;
  const sse = { 'sse-customer-key': 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' };
  await readText(withValues(row, { ...sse, 'sse-customer-algorithm': 'AES256' }));
  const wrong = withValues(row, { ...sse, 'sse-customer-algorithm': 'AES128' });
  await expect(readText(wrong)).rejects.toThrow(/AES128/);
  const other = withValues(row, { ...sse, 'sse-customer-key-md5': 'y4HAEFCYWuvAXWFTtA1Qpg==' });
  await expect(readText(other)).rejects.toThrow(/sse-customer-key-md5 is not the MD5 of the key/);
});

const words = WORDS.map((word) => ({ ...word, title: `${word.scope} ${word.key}` }));
const noted = words.flatMap(({ title, support, ...word }) =>
  support.kind === 'noted' ? [{ ...word, title, note: support.note }] : [],
);
const refused = words.flatMap(({ title, support, ...word }) =>
  support.kind === 'refused' ? [{ ...word, title, support }] : [],
);

function withWord({ scope, key }: Pick<Word, 'scope' | 'key'>, value: unknown): string {
  return withValues({ scope }, nest(key, value));
}

test.each(noted)('$title is accepted with a note that it has no effect', async (word) => {
  const config = await readText(withWord(word, parse(word.example)));
  const without = await readText(withValues({ scope: word.scope }, {}));
  expect(effectOf(config)).toBe(effectOf(without));
  expect(config.notes.join('\n')).toContain(`${word.key}: ${word.note}`);
});

test.each(refused)('$title is refused with the alternative', async (word) => {
  const text = withWord(word, parse(word.example));
  const { reason, instead } = word.support;
  const says = word.of === undefined ? `${reason}; ${instead}` : 'not of file; remove it';
  await expect(readText(text)).rejects.toThrow(`${word.key}: `);
  await expect(readText(text)).rejects.toThrow(says);
});

test.each([
  ['nats', 'has no backend for NATS'],
  ['webdav', 'has no backend for WebDAV'],
  ['oss', 'has no backend for Alibaba OSS'],
])('type %s is refused with a reason', async (type, says) => {
  const text = withValues({ scope: 'replica' }, { type });
  await expect(readText(text)).rejects.toThrow(`type ${type}: `);
  await expect(readText(text)).rejects.toThrow(says);
});

test('keys of a refused type are not reported as well', async () => {
  const values = { type: 'nats', username: 'u', token: 't' };
  const text = withValues({ scope: 'replica' }, values);
  await expect(readText(text)).rejects.toThrow(/has 1 problem:\n[^\n]*type nats[^\n]*$/);
});

test.each(OWN_TYPES)('%s suggests the closest key for each misspelled key', async (type) => {
  const backend = await loadBackend(type, '/');
  const ours = ROWS.filter(({ of, scope }) => of === type && scope === 'replica');
  for (const { name } of ours.filter((row) => !row.name.endsWith('-file'))) {
    const messages = await refusalsOf(() => parseConfig(backend, { [`${name}x`]: 1 }));
    expect(messages).toContain(`${name}x is not a key of ${backend.scheme}: did you mean ${name}?`);
  }
});

async function refusalsOf(parseIt: () => unknown): Promise<string[]> {
  const error: unknown = await Promise.resolve()
    .then(parseIt)
    .catch((thrown: unknown) => thrown);
  return (error as { issues: { message: string }[] }).issues.map(({ message }) => message);
}
