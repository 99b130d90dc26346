import { createHmac } from 'node:crypto';

import { expect, test } from 'vitest';

import { readKeyLines, readKnownHosts, readShownKey, verdictOn } from '../src/host-key.ts';
import { makeKeys } from './keys.ts';

const [ONE, TWO] = [0, 1].map(() => makeKeys().public) as [string, string];
const shownOf = (line: string) => readShownKey(Buffer.from(line.split(' ')[1] ?? '', 'base64'));
const shown = shownOf(ONE);

test('a key gets the fingerprint that ssh-keygen prints', () => {
  // GitHub's key and fingerprint, as published.
  const known = shownOf(
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
  );
  expect(known).toMatchObject({
    type: 'ssh-ed25519',
    fingerprint: 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
  });
});

test.each([
  ['the line', ONE, 'trusted'],
  ['the line with a comment', `${ONE} root@backup`, 'trusted'],
  ['one of two lines', `${TWO}\n${ONE}\n`, 'trusted'],
  ['its fingerprint', shown.fingerprint, 'trusted'],
  ['another', TWO, 'changed'],
  ["another's fingerprint", shownOf(TWO).fingerprint, 'changed'],
])('host-key is %s', (_, text, verdict) => {
  expect(verdictOn(shown, readKeyLines(text) ?? [])).toBe(verdict);
});

test.each([
  '',
  'ssh-ed25519',
  'ssh-rsa AAAA',
  `ssh-rsa ${ONE.split(' ')[1]}`,
  'MD5:aa:bb',
  `${ONE}\nx y`,
])('host-key %j is invalid', (text) => {
  expect(readKeyLines(text)).toBeUndefined();
});

test('without expected keys, every key is unknown', () => {
  expect(verdictOn(shown, [])).toBe('unknown');
});

const hashed = (name: string): string => {
  const salt = Buffer.from('0123456789abcdefghij');
  const hash = createHmac('sha1', salt).update(name).digest('base64');
  return `|1|${salt.toString('base64')}|${hash}`;
};

test.each([
  ['h', 22, `h ${ONE}`, 'trusted'],
  ['H', 22, `h ${ONE}`, 'trusted'],
  ['h', 22, `a,h,b ${ONE} comment`, 'trusted'],
  ['h', 22, `# h ${ONE}`, 'unknown'],
  ['h', 22, `hh ${ONE}`, 'unknown'],
  ['h', 22, `h ${TWO}`, 'changed'],
  ['h', 22, `h ${TWO}\nh ${ONE}`, 'trusted'],
  ['h', 2022, `h ${ONE}`, 'unknown'],
  ['h', 2022, `[h]:2022 ${ONE}`, 'trusted'],
  ['a.example.com', 22, `*.example.com ${ONE}`, 'trusted'],
  ['a.example.com', 22, `*.example.com,!a.example.com ${ONE}`, 'unknown'],
  ['aXexample.com', 22, `a.example.com ${ONE}`, 'unknown'],
  ['a1', 22, `a? ${ONE}`, 'trusted'],
  ['h', 22, `${hashed('h')} ${ONE}`, 'trusted'],
  ['g', 22, `${hashed('h')} ${ONE}`, 'unknown'],
  ['h', 2022, `${hashed('[h]:2022')} ${ONE}`, 'trusted'],
  ['h', 22, `@revoked h ${ONE}\nh ${ONE}`, 'revoked'],
  ['h', 22, `@cert-authority h ${ONE}`, 'unknown'],
  ['h', 22, 'h nonsense\n\nh ssh-ed25519 !!', 'unknown'],
])('%s port %i by known_hosts %j', (host, port, text, verdict) => {
  expect(verdictOn(shown, readKnownHosts(text, host, port))).toBe(verdict);
});
