/** Sluice and Litestream with one configuration and one container restore each other's backups. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawContainer, rawKeys } from '../servers/azure-access.ts';
import { startAzurite, type Azurite } from '../servers/azurite.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const run = promisify(execFile);

type Tool = 'sluice' | 'litestream';

describeWith(['azurite', 'litestream-0.5.18'], 'azure, Litestream', () => {
  let server: Azurite;
  let count = 0;
  beforeAll(async () => {
    server = await startAzurite();
  });
  afterAll(() => server.stop());

  /** Both tools read the same file, because the keys of abs are Litestream's. */
  function configure(replicaPath: string): { database: string; config: string; folder: string } {
    const folder = temporaryFolder('azure-litestream');
    const database = path.join(folder, `app-${(count += 1)}.db`);
    const config = path.join(folder, 'config.yml');
    const { account, accountKey, container, endpoint } = server;
    const replica = {
      ...{ type: 'abs', bucket: container, path: replicaPath, endpoint },
      ...{ 'account-name': account, 'account-key': accountKey },
    };
    fs.writeFileSync(config, JSON.stringify({ dbs: [{ path: database, replica }] }));
    const rows = new Database(database);
    rows.pragma('journal_mode = WAL');
    rows.exec('CREATE TABLE t (x)');
    const insert = rows.prepare('INSERT INTO t VALUES (randomblob(5000))');
    for (let row = 0; row < 20; row += 1) insert.run();
    rows.close();
    return { database, config, folder };
  }

  async function tool(name: Tool, ...args: readonly string[]): Promise<void> {
    const env = { ...process.env };
    delete env['AWS_CA_BUNDLE']; // Litestream exits if it is set
    if (name === 'litestream') await run(needTool('litestream-0.5.18'), args, { env });
    else await run(process.execPath, [CLI, ...args], { env });
  }

  function rowsOf(database: string): unknown[] {
    const opened = new Database(database, { readonly: true });
    try {
      return opened.prepare('SELECT x FROM t').raw().all();
    } finally {
      opened.close();
    }
  }

  test.each<[Tool, Tool, string]>([
    ['litestream', 'sluice', 'app'],
    ['litestream', 'sluice', '/slash'],
    ['litestream', 'sluice', 'end/'],
    ['litestream', 'sluice', 'a b/ü+%'],
    ['sluice', 'litestream', 'app2'],
    ['sluice', 'litestream', '/slash2'],
    ['sluice', 'litestream', 'c d/ü+%'],
  ])('a backup by %s is restored by %s: path %j', async (writer, reader, replicaPath) => {
    const { config, database, folder } = configure(replicaPath);
    await tool(writer, 'replicate', '-once', '-config', config);
    const output = path.join(folder, 'restored.db');
    await tool(reader, 'restore', '-config', config, '-o', output, database);
    expect(rowsOf(output)).toEqual(rowsOf(database));
    const prefix = path.posix.join(replicaPath, 'ltx/0/');
    const [key] = await rawKeys(server, prefix);
    expect(key).toMatch(/\/[0-9a-f]{16}-[0-9a-f]{16}\.ltx$/);
    const blob = rawContainer(server).getBlobClient(key ?? '');
    const { metadata, contentType } = await blob.getProperties();
    expect(Object.keys(metadata ?? {})).toEqual(['litestreamtimestamp']);
    expect(contentType).toBe('application/octet-stream');
  });
});
