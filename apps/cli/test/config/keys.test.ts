/** Each row of the table of keys is tried: it changes what is read, is taken with a word, or is refused. */

import { expect, test } from 'vitest';
import { loadBackend } from '../../src/load-backend.ts';
import type { Key } from '../../src/surface/key.ts';
import { KEYS } from '../../src/surface/keys.ts';
import { REPLICA_KEYS } from '../../src/surface/keys-replica.ts';
import { effectOf, exampleOf, nest, readText, withValues } from '../support/configuration.ts';
import type { Values } from '../support/configuration.ts';
import { parseConfig } from '@sluice/core/backend';

/** What a key cannot stand without, and a value of its own to differ from. */
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
  passphrase: { beside: { 'key-path': '/etc/key' }, other: { passphrase: 'other' } },
};

/** Of abs: what stands at the account's place, or has to. */
const BESIDE_ABS: typeof BESIDE = {
  'account-name': { beside: {}, other: { 'account-name': 'other' } },
  bucket: { beside: {}, other: { bucket: 'others' } },
  'connection-string': {
    beside: { 'account-name': undefined },
    other: { 'connection-string': 'AccountName=other;AccountKey=a2V5' },
  },
};

/** The configuration with the key, and one that differs from it by nothing else. */
function pair(key: Key): { readonly before: string; readonly after: string } {
  const table = key.of?.includes('abs') === true ? BESIDE_ABS : BESIDE;
  const { beside = {}, other = {} } = table[key.name.replace(/-file$/, '')] ?? {};
  return {
    before: withValues(key, { ...beside, ...other }),
    after: withValues(key, { ...beside, ...exampleOf(key) }),
  };
}

const named = KEYS.map((key) => ({ key, name: `${key.scope} ${key.name}` }));
/** They are what is so without them; their own tests are below. */
const NO_CHANGE = [
  'replica type',
  'replica sse-customer-algorithm',
  'global sse-customer-algorithm',
];
const working = named.filter(
  ({ key, name }) => key.fate.kind === 'works' && !NO_CHANGE.includes(name),
);
const noted = named.filter(({ key }) => key.fate.kind === 'noted');
const refused = named.flatMap(({ key, name }) =>
  key.fate.kind === 'refused' ? [{ key, name, fate: key.fate }] : [],
);

test.each(working)('$name changes what is read', async ({ key }) => {
  const { before, after } = pair(key);
  // Without a bucket at the destination there is nothing to differ from.
  const from =
    key.scope === 'global' && key.name === 'bucket'
      ? withValues(key, nest('bucket', 'another'))
      : before;
  expect(effectOf(await readText(after))).not.toBe(effectOf(await readText(from)));
});

test('type: file is what a destination is without a type', async () => {
  const key = { scope: 'replica' } as const;
  const read = await readText(withValues(key, { type: 'file' }));
  expect(effectOf(read)).toBe(effectOf(await readText(withValues(key, {}))));
});

test('sse-customer-algorithm is AES256 or an error', async () => {
  const key = { scope: 'replica', of: ['s3'] } as const;
  const sse = { 'sse-customer-key': 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' };
  await readText(withValues(key, { ...sse, 'sse-customer-algorithm': 'AES256' }));
  const wrong = withValues(key, { ...sse, 'sse-customer-algorithm': 'AES128' });
  await expect(readText(wrong)).rejects.toThrow(/AES128/);
});

test.each(noted)('$name is taken, and said to have no effect', async ({ key }) => {
  const { before, after } = pair(key);
  const config = await readText(after);
  expect(effectOf(config)).toBe(effectOf(await readText(before)));
  const note = key.fate.kind === 'noted' ? key.fate.note : '';
  expect(config.notes.join('\n')).toContain(`${key.name}: ${note}`);
});

test.each(refused)('$name is refused by name, with what to use instead', async ({ key, fate }) => {
  const { after } = pair(key);
  const isForeign = key.scope === 'replica' && key.of !== undefined;
  const words = isForeign ? 'not of file; leave it out' : `${fate.reason}; ${fate.instead}`;
  await expect(readText(after)).rejects.toThrow(`${key.name}: `);
  await expect(readText(after)).rejects.toThrow(words);
});

test.each(refused.filter(({ fate }) => fate.except !== undefined))(
  '$name passes where it asks for nothing',
  async ({ key, fate }) => {
    const read = await readText(withValues(key, nest(key.name, fate.except)));
    expect(effectOf(read)).toBe(effectOf(await readText(withValues(key, {}))));
  },
);

test.each([
  ['nats', 'has no backend of ours'],
  ['webdav', 'has no backend of ours'],
  ['oss', 'has no backend of ours'],
])('type %s is refused with a reason', async (type, words) => {
  const text = withValues({ scope: 'replica' }, { type });
  await expect(readText(text)).rejects.toThrow(`type ${type}: `);
  await expect(readText(text)).rejects.toThrow(words);
});

test('keys of a refused type are not complained of beside it', async () => {
  const values = { type: 'nats', username: 'u', token: 't' };
  const text = withValues({ scope: 'replica' }, values);
  await expect(readText(text)).rejects.toThrow(/has a problem:\n[^\n]*type nats[^\n]*$/);
});

test.each([
  ['s3', { bucket: 'b' }],
  ['gs', { bucket: 'b' }],
  ['sftp', { host: 'h', user: 'u' }],
  ['abs', { bucket: 'backups', 'account-name': 'account' }],
])('%s knows no key that is not in the table', async (type, input) => {
  const backend = await loadBackend(type, '/');
  const ours = REPLICA_KEYS.filter(({ of }) => of?.includes(type) === true).map(({ name }) => name);
  const messages = await refusalsOf(() => parseConfig(backend, { ...input, nonsense: 1 }));
  expect(messages).toEqual([`nonsense is not a key of ${type}`]);
  // Each of ours, mistyped by nothing but its end, is the nearest that it knows.
  for (const name of ours.filter((key) => !key.endsWith('-file'))) {
    const [message] = await refusalsOf(() => parseConfig(backend, { ...input, [`${name}x`]: 1 }));
    expect(message).toBe(`${name}x is not a key of ${type}: did you mean ${name}?`);
  }
});

async function refusalsOf(parse: () => unknown): Promise<string[]> {
  const error: unknown = await Promise.resolve()
    .then(parse)
    .catch((thrown: unknown) => thrown);
  return (error as { issues: { message: string }[] }).issues.map(({ message }) => message);
}
