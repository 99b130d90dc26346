import { homedir } from 'node:os';
import { join } from 'node:path';

import { isError, parseConfig } from '@sluice/core/backend';
import { expect, test } from 'vitest';

import { backend } from '../src/index.ts';

const NEEDED = { host: 'h', user: 'u' };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwHFWvSGa1dL2lIJK7IH2x1AAerY7HAtDKfQuUyvkdQ';

function issuesOf(input: unknown): string[] {
  try {
    parseConfig(backend, input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return error.issues?.map(({ message }) => message) ?? [];
    throw error;
  }
  return [];
}

test('all keys are read, and secrets are hidden', () => {
  const { config, path } = parseConfig(backend, {
    type: 'sftp',
    name: 'offsite',
    host: 'backup.example.com:2222',
    user: 'me',
    path: '/backups//app/',
    password: 'p',
    'key-path': '~/.ssh/id',
    passphrase: 'q',
    agent: '/run/agent',
    'host-key': `${KEY} root@backup\n`,
    'concurrent-writes': false,
  });
  expect(path).toBe('/backups/app');
  expect(config).toMatchObject({
    host: 'backup.example.com',
    port: 2222,
    user: 'me',
    keyPath: join(homedir(), '.ssh/id'),
    agent: '/run/agent',
    hostKey: `${KEY} root@backup`,
    knownHosts: undefined,
    concurrentWrites: false,
  });
  expect(config.password?.reveal()).toBe('p');
  expect(config.passphrase?.reveal()).toBe('q');
  expect(JSON.stringify(config)).not.toMatch(/"[pq]"/);
});

test('missing keys have their defaults', () => {
  expect(parseConfig(backend, NEEDED)).toEqual({
    path: '',
    config: {
      host: 'h',
      port: 22,
      user: 'u',
      password: undefined,
      keyPath: undefined,
      passphrase: undefined,
      agent: undefined,
      hostKey: undefined,
      knownHosts: undefined,
      concurrentWrites: true,
    },
  });
});

test.each([
  ['h', 'h', 22],
  ['h:2022', 'h', 2022],
  ['10.0.0.1:22', '10.0.0.1', 22],
  ['[::1]', '::1', 22],
  ['[fe80::1]:2022', 'fe80::1', 2022],
  ['::1', '::1', 22],
])('host %s is %s, port %i', (text, host, port) => {
  expect(parseConfig(backend, { ...NEEDED, host: text }).config).toMatchObject({ host, port });
});

test.each(['h:0', 'h:70000', 'h:x', 'sftp://h', 'a@h', 'h/p'])('host %s is refused', (host) => {
  expect(issuesOf({ ...NEEDED, host })).toEqual(['host must be a host, or host:port']);
});

test.each([
  ['/a/b', '/a/b'],
  ['/a//b/./c/', '/a/b/c'],
  ['a/b', 'a/b'],
  ['./a', 'a'],
  ['.', ''],
  ['/', '/'],
])('path %s is %s', (path, cleaned) => {
  expect(parseConfig(backend, { ...NEEDED, path }).path).toBe(cleaned);
});

test.each([
  ['sftp://u@h/backups/app', { path: '/backups/app' }],
  ['sftp://u:p%40%3A%2F@h:2022/a%20b', { path: '/a b', port: 2022, password: 'p@:/' }],
  ['sftp://u@h/~/app', { path: 'app' }],
  ['sftp://u@h/~', { path: '' }],
  ['sftp://u@h', { path: '' }],
  ['sftp://u@[::1]:2022/a', { path: '/a', host: '::1', port: 2022 }],
  ['sftp://u@h/a?key-path=/k&passphrase=q', { path: '/a', keyPath: '/k' }],
  ['sftp://u@h/a?keyPath=/k&knownHosts=/n', { path: '/a', keyPath: '/k', knownHosts: '/n' }],
  ['sftp://u@h/a?concurrent-writes=false', { path: '/a', concurrentWrites: false }],
  [`sftp://u@h/a?host-key=${encodeURIComponent(KEY)}`, { path: '/a', hostKey: KEY }],
])('%s is read as YAML would be', (text, expected) => {
  for (const input of [backend.fromURL(new URL(text)), { url: text }]) {
    const { config, path } = parseConfig(backend, input);
    const shown = { ...config, path, password: config.password?.reveal() };
    expect(shown).toMatchObject({ user: 'u', ...expected });
  }
});

test('separate keys override the URL', () => {
  const { config } = parseConfig(backend, {
    url: 'sftp://u:old@h/a',
    password: 'new',
    user: 'other',
  });
  expect(config.password?.reveal()).toBe('new');
  expect(config.user).toBe('other');
});

test('all issues are reported at once', () => {
  expect(
    issuesOf({
      'host-key': 'nonsense',
      'known-hosts': '/n',
      passphrase: 'q',
      'concurrent-writes': 'perhaps',
      hostkey: 'x',
    }),
  ).toEqual([
    'host is missing',
    'user is missing',
    'host-key must be a line such as "ssh-ed25519 AAAA…", or "SHA256:…"',
    'concurrent-writes must be true or false, not "perhaps"',
    'known-hosts cannot be given together with host-key',
    'passphrase needs key-path beside it',
    'hostkey is not a key of sftp: did you mean host-key?',
  ]);
});

test('a URL instead of a path is refused by name', () => {
  expect(issuesOf({ ...NEEDED, path: 'sftp://h/a' })).toEqual([
    'path is a URL (sftp://): write it under url',
  ]);
});

test('a URL with another scheme is refused', () => {
  expect(issuesOf({ url: 's3://b/p', ...NEEDED })).toEqual(['url must begin with sftp://']);
});
