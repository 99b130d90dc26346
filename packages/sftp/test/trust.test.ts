/** A server has keys of several types, and shows the one that both sides like best. */

import { generateKeyPairSync } from 'node:crypto';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';

import { readShownKey } from '../src/host-key.ts';
import { typesToAsk } from '../src/trust.ts';
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

  test('is trusted by the line of any of them, and asked once', async () => {
    for (const key of [RSA, ECDSA]) {
      const fake = await startFakeServer({ otherHostKeys: [ECDSA, RSA] });
      const input = { 'host-key': publicKeyOf(key) };
      await new Replica(await connectTo(fake, { input }), ROOT).writeFile(FILE, bodyOf('x'));
      expect(fake.connections).toBe(1);
    }
  });

  test('is judged when it has shown all of them, and logged in to never', async () => {
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

  test('whose key of the type that is known is another is asked for no more', async () => {
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

test('types are asked for in an order that finds a key that is known at once', () => {
  const key = (type: string | undefined) => ({ type, fingerprint: 'x', mark: 'trusted' as const });
  expect(typesToAsk([key('ssh-rsa')], []).at(0)).toBe('ssh-rsa');
  expect(typesToAsk([key('ssh-rsa')], [{ type: 'ssh-ed25519' }])).toEqual(['ssh-rsa']);
  expect(typesToAsk([key('ssh-rsa')], [{ type: 'ssh-rsa' }])).toEqual([]);
  expect(typesToAsk([key(undefined)], [{ type: 'ssh-ed25519' }])).toHaveLength(4);
  expect(typesToAsk([], [])).toHaveLength(5);
});
