/** The configuration in the README of @sluice/sftp, and logins with programs of OpenSSH. */

import { Replica } from '@sluice/core/backend/testing';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { backend } from '@sluice/sftp';
import { parse as parseYAML } from 'yaml';
import { expect, onTestFinished, test } from 'vitest';
import { startSshd } from '../servers/sshd.ts';
import { describeWith } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { bodyOf, list, pattern, ref } from './context.ts';
import { parseConfig } from '@sluice/core/backend';

const README = fs.readFileSync(new URL('../../packages/sftp/README.md', import.meta.url), 'utf8');

function blocks(language: string): string[] {
  const fenced = new RegExp('```' + language + '\\n([^]*?)```', 'g');
  return Array.from(README.matchAll(fenced), (match) => match[1] ?? '');
}

function replicaOf(yaml: string): Record<string, unknown> {
  const { dbs } = parseYAML(yaml) as { dbs: { replicas: Record<string, unknown>[] }[] };
  return dbs[0]?.replicas[0] ?? {};
}

test('the configuration and the URLs in the README are valid', () => {
  const { config, path: at } = parseConfig(backend, replicaOf(blocks('yaml')[0] ?? ''));
  expect([config.host, config.user, at]).toEqual(['backup.example.com', 'backup', '/backups/app']);
  const urls = Array.from((blocks('sh')[0] ?? '').matchAll(/sftp:[^']+/g), ([url]) => url);
  expect(urls).toHaveLength(2);
  for (const url of urls) {
    const parsed = parseConfig(backend, backend.fromURL(new URL(url)));
    expect(parsed.path).toBe('/backups/app');
    expect(parsed.config).toMatchObject({ user: 'backup', knownHosts: '/root/.ssh/known_hosts' });
  }
});

describeWith(['sshd', 'ssh-agent'], 'the example in the README, at OpenSSH', () => {
  test('works with a key file and with an agent', async () => {
    const server = await startSshd({ as: 'unprivileged', extensions: 'all' });
    onTestFinished(() => server.stop());
    const { 'key-path': keyPath, ...rest } = server.input;
    const socket = path.join(temporaryFolder('agent'), 'socket');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    onTestFinished(async () => {
      agent.kill();
      await once(agent, 'exit');
    });
    await until('the agent listens', () => fs.existsSync(socket));
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    execFileSync('ssh-add', [String(keyPath)], { env, stdio: 'ignore' });

    for (const login of [{ 'key-path': keyPath }, { agent: socket, 'key-path': undefined }]) {
      const example = replicaOf(blocks('yaml')[0] ?? '');
      const input = { ...example, ...rest, ...login, path: `${server.root}/app` };
      const parsed = parseConfig(backend, input);
      const context = { access: 'write', logger: console } as const;
      const destination = await backend.connect(parsed.config, context);
      onTestFinished(() => destination.close());
      const replica = new Replica(destination, parsed.path);
      await replica.writeFile(ref(0, 1), bodyOf(pattern(9, 1)));
      expect(await list(replica, 'all')).toHaveLength(1);
    }
  });
});
