/** Private keys made by other programs. */

import { Replica } from '@sluice/core/backend/testing';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import ssh2 from 'ssh2';

import { readPrivateKey } from '../src/private-key.ts';
import { startFakeServer } from './fake-server.ts';
import { bodyOf, connectTo, ref, ROOT } from './fixtures.ts';
import { makeKeys } from './keys.ts';

const KINDS: readonly (readonly [string, KeyObject])[] = [
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ['ECDSA', generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey],
];

function pkcs8(key: KeyObject, passphrase?: string): string {
  const options = { type: 'pkcs8', format: 'pem' } as const;
  return String(
    passphrase === undefined
      ? key.export(options)
      : key.export({ ...options, cipher: 'aes-256-cbc', passphrase }),
  );
}

describe.each(KINDS)('a key of PKCS #8, %s', (_, key) => {
  test('signs as the same key after conversion', () => {
    const { text } = readPrivateKey(pkcs8(key), undefined);
    const parsed = ssh2.utils.parseKey(text);
    if (parsed instanceof Error) throw parsed;
    const data = Buffer.from('what is signed');
    expect(parsed.isPrivateKey()).toBe(true);
    expect(parsed.verify(data, parsed.sign(data))).toBe(true);
  });

  test('is decrypted and needs no passphrase afterwards', () => {
    const read = readPrivateKey(pkcs8(key, 'open sesame'), 'open sesame');
    expect(read.passphrase).toBeUndefined();
    expect(ssh2.utils.parseKey(read.text)).not.toBeInstanceOf(Error);
  });

  test('can log in', async () => {
    const fake = await startFakeServer();
    fake.accept = ({ method }) => (method === 'publickey' ? true : ['publickey']);
    const path = join(fake.folder, 'key.pem');
    fs.writeFileSync(path, pkcs8(key, 'open sesame'));
    const input = { 'key-path': path, passphrase: 'open sesame', password: undefined };
    await new Replica(await connectTo(fake, { input }), ROOT).writeFile(ref(0, 1), bodyOf('x'));
  });
});

test('a key after EC PARAMETERS is read, as written by openssl ecparam', () => {
  const key = KINDS[1]?.[1];
  const sec1 = String(key?.export({ type: 'sec1', format: 'pem' }));
  const text = `-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n${sec1}`;
  expect(ssh2.utils.parseKey(readPrivateKey(text, undefined).text)).not.toBeInstanceOf(Error);
});

test.each([
  ['without its passphrase', undefined, /it is encrypted: set passphrase/],
  ['with a wrong one', 'wrong', /key-path cannot be used: .*; check key-path and passphrase/],
])('an encrypted key %s is refused with a clear message', (_, passphrase, message) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  expect(() => readPrivateKey(pkcs8(privateKey, 'right'), passphrase)).toThrow(message);
});

test('the error names a key type that SSH does not support', () => {
  const { privateKey } = generateKeyPairSync('x25519');
  expect(() => readPrivateKey(pkcs8(privateKey), undefined)).toThrow(/x25519: SSH has RSA/);
});

test.each([makeKeys().public, '-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n'])(
  'a public key is refused as such: %s',
  (text) => {
    expect(() => readPrivateKey(text, undefined)).toThrow(/it is a public key/);
  },
);

test('a key that ssh2 can read is not changed', () => {
  const { private: text } = makeKeys('passphrase');
  expect(readPrivateKey(text, 'passphrase')).toEqual({ text, passphrase: 'passphrase' });
});
