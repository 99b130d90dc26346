/** Sluice and Litestream restore each other's backups from an SFTP server. */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { restore } from '@sluice/core';
import { bodyFromBytes, readBytes, parseConfig } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { backend } from '@sluice/sftp';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { startSshd, type Sshd } from '../servers/sshd.ts';
import { openFolder } from '../support/replica.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/golden/frame-4k', import.meta.url));

async function start(): Promise<Sshd> {
  const server = await startSshd({ as: 'unprivileged', extensions: 'all' });
  onTestFinished(() => server.stop());
  return server;
}

async function open(server: Sshd, access: 'read' | 'write'): Promise<Replica> {
  const { config } = parseConfig(backend, server.input);
  const destination = await backend.connect(config, { access, logger: console });
  onTestFinished(() => destination.close());
  return new Replica(destination, `${server.root}/app`);
}

/** Litestream's configuration: the keys are the same. */
function configure(folder: string, server: Sshd, database: string): string {
  const keys = Object.entries({ ...server.input, path: `${server.root}/app` });
  const lines = keys.map(([key, value]) => `    ${key}: "${value}"\n`).join('');
  const file = path.join(folder, 'litestream.yml');
  fs.writeFileSync(
    file,
    `dbs:\n- path: ${database}\n  replica:\n${lines}    sync-interval: 100ms\n`,
  );
  return file;
}

describeWith(['sshd', 'litestream-0.5.18'], 'sftp, with Litestream', () => {
  test('Litestream restores a backup by Sluice', async () => {
    const server = await start();
    const replica = await open(server, 'write');
    const { client } = await openFolder(path.join(GOLDEN, 'bucket'));
    for await (const file of client.listFiles('all')) {
      const bytes = await readBytes((await client.openFile(file)).body, file.sizeBytes);
      await replica.writeFile(file, bodyFromBytes(bytes, file.createdAt ?? file.modifiedAt));
    }
    const folder = temporaryFolder('sftp-litestream');
    const database = path.join(folder, 'app.db');
    const output = path.join(folder, 'restored.db');
    const config = configure(folder, server, database);
    const args = ['restore', '-config', config, '-o', output, database];
    const result = spawnSync(needTool('litestream-0.5.18'), args, { encoding: 'utf8' });
    expect(result.status, `${result.stdout}${result.stderr}`).toBe(0);
    const { restores } = JSON.parse(
      fs.readFileSync(path.join(GOLDEN, 'expected.json'), 'utf8'),
    ) as { restores: { file_sha256: string }[] };
    const sha256 = createHash('sha256').update(fs.readFileSync(output)).digest('hex');
    expect(sha256).toBe(restores.at(-1)?.file_sha256);
  });

  test('Sluice restores a backup by Litestream', async () => {
    const server = await start();
    const folder = temporaryFolder('sftp-litestream');
    const database = path.join(folder, 'app.db');
    const db = new Database(database);
    db.pragma('journal_mode = wal');
    db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)');
    const config = configure(folder, server, database);
    const litestream = spawn(needTool('litestream-0.5.18'), ['replicate', '-config', config], {
      stdio: 'ignore',
    });
    const exited = once(litestream, 'exit');
    const level = path.join(server.onDisk(server.root), 'app', 'ltx', '0');
    await until('Litestream has sent something', () => fs.existsSync(level));
    db.exec('INSERT INTO t VALUES (4)');
    db.close();
    litestream.kill('SIGTERM'); // it uploads the rest first
    await exited;

    const output = path.join(folder, 'restored.db');
    const client = await open(server, 'read');
    await restore({
      sources: [{ name: 'one', client }],
      output,
      target: { kind: 'latest' },
      integrityCheck: 'full',
    });
    const restored = new Database(output, { readonly: true });
    expect(restored.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 4 });
    restored.close();
  });
});
