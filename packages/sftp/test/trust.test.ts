/** A server with keys of several types, which shows the type that both sides prefer. */

import { generateKeyPairSync } from 'node:crypto';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';

import { readShownKey } from '../src/host-key.ts';
import { typesToRequest } from '../src/host-key.ts';
import { startFakeServer } from './fake-server.ts';
import { bodyOf, connectTo, readText, ref, ROOT } from './fixtures.ts';
import { makeKeys, publicKeyOf } from './keys.ts';

const FILE = ref(0, 1);
const RSA = String(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs1',
    format: 'pem',
  }),
);
const ECDSA = String(
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
    type: 'sec1',
    format: 'pem',
  }),
);

function fingerprintOf(line: string): string {
  return readShownKey(Buffer.from(line.split(' ')[1] ?? '', 'base64')).fingerprint;
}

describe('a server with keys of three types', () => {
  test.each([
    ['RSA', RSA],
    ['ECDSA', ECDSA],
  ])('is trusted by the fingerprint of its %s key', async (_, key) => {
    const fake = await startFakeServer({ otherHostKeys: [ECDSA, RSA] });
    const input = { 'host-key': fingerprintOf(publicKeyOf(key)) };
    const client = new Replica(await connectTo(fake, { input }), ROOT);
    await client.writeFile(FILE, bodyOf('x'));
    expect(await readText(client, FILE)).toBe('x');
  });

  test('is trusted by any of them, over one connection', async () => {
    for (const key of [RSA, ECDSA]) {
      const fake = await startFakeServer({ otherHostKeys: [ECDSA, RSA] });
      const input = { 'host-key': publicKeyOf(key) };
      await new Replica(await connectTo(fake, { input }), ROOT).writeFile(FILE, bodyOf('x'));
      expect(fake.connections).toBe(1);
    }
  });

  test('is refused after it has shown all of them, without a login', async () => {
    const fake = await startFakeServer({ otherHostKeys: [ECDSA, RSA] });
    const asked: string[] = [];
    fake.accept = ({ method }) => asked.push(method) > 0;
    const input = { 'host-key': fingerprintOf(makeKeys().public) };
    const writing = new Replica(await connectTo(fake, { input }), ROOT).writeFile(
      FILE,
      bodyOf('x'),
    );
    const error: unknown = await writing.catch((thrown: unknown) => thrown);
    expect(isError(error, 'REPLICA_HOST_UNTRUSTED'), String(error)).toBe(true);
    expect(String(error)).toMatch(
      /offers ssh-ed25519 SHA256:\S+ and ecdsa-sha2-nistp256 SHA256:\S+ and ssh-rsa SHA256:\S+, but/,
    );
    expect(asked).toEqual([]);
  });

  test('is refused at once if its key of the expected type is another one', async () => {
    const fake = await startFakeServer({ otherHostKeys: [RSA] });
    const input = { 'host-key': makeKeys().public };
    const writing = new Replica(await connectTo(fake, { input }), ROOT).writeFile(
      FILE,
      bodyOf('x'),
    );
    await expect(writing).rejects.toThrow(/offers ssh-ed25519 \S+, but .* has changed/);
    expect(fake.connections).toBe(1);
  });
});

test('the types of expected keys are requested first', () => {
  const key = (type: string | undefined) => ({ type, fingerprint: 'x', mark: 'trusted' as const });
  expect(typesToRequest([key('ssh-rsa')], []).at(0)).toBe('ssh-rsa');
  expect(typesToRequest([key('ssh-rsa')], [{ type: 'ssh-ed25519' }])).toEqual(['ssh-rsa']);
  expect(typesToRequest([key('ssh-rsa')], [{ type: 'ssh-rsa' }])).toEqual([]);
  expect(typesToRequest([key(undefined)], [{ type: 'ssh-ed25519' }])).toHaveLength(4);
  expect(typesToRequest([], [])).toHaveLength(5);
});
