/** Undocumented properties of ssh2 and ssh2-sftp-client that we rely on. */

import fs from 'node:fs';
import { createRequire } from 'node:module';

import { expect, onTestFinished, test } from 'vitest';
import ssh2 from 'ssh2';

import { Channel, makeClient } from '../src/channel.ts';
import { startFakeServer } from './fake-server.ts';

const require = createRequire(import.meta.url);

function versionOf(entry: string, name: string): string {
  const at = entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`));
  const text = fs.readFileSync(`${at}/node_modules/${name}/package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

test('the installed versions are those that were examined', () => {
  const client = require.resolve('ssh2-sftp-client');
  expect(versionOf(client, 'ssh2-sftp-client')).toMatch(/^12\./);
  const theirs = createRequire(client).resolve('ssh2');
  expect(versionOf(theirs, 'ssh2')).toMatch(/^1\.17\./);
  // The tests' server and the client use the same ssh2.
  expect(fs.realpathSync(require.resolve('ssh2'))).toBe(fs.realpathSync(theirs));
});

test('ssh2-sftp-client exposes its ssh2 client and resolves with the channel', async () => {
  const fake = await startFakeServer();
  const client = await makeClient();
  const sftp = await client.connect({
    host: '127.0.0.1',
    port: fake.port,
    username: 'u',
    password: 'p',
  });
  onTestFinished(() => void client.client.end());
  expect(client.client).toBeInstanceOf(ssh2.Client);
  expect(sftp).toMatchObject({ _extensions: {}, _maxReadLen: 31_952, _maxWriteLen: 31_952 });
  const channel = new Channel(sftp);
  const limits = { pieceBytes: 31_952, requestsAhead: 64 };
  expect(channel.limits('read')).toEqual(limits);
  expect(channel.limits('write')).toEqual(limits);
  expect(channel.has('fsync')).toBe(false);
});

test('requests to a lost channel are rejected', async () => {
  const fake = await startFakeServer();
  const client = await makeClient();
  const at = { host: '127.0.0.1', port: fake.port, username: 'u', password: 'p' };
  const channel = new Channel(await client.connect(at));
  fake.intercept = () => 'lost-before';
  const pending = channel.stat('/');
  const lost = new Error('lost');
  channel.fail(lost);
  await expect(pending).rejects.toBe(lost);
  await expect(channel.stat('/')).rejects.toBe(lost);
});
