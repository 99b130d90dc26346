/** Sluice and Litestream take turns in one bucket of Google Cloud Storage. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { startFakeGCS } from '../servers/fake-gcs.ts';
import { rawKeys } from '../servers/gcs-access.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const run = promisify(execFile);

describeWith(['fake-gcs-server', 'litestream-0.5.18'], 'a bucket used by both in turns', () => {
  test('can be restored by both after each turn', async () => {
    const server = await startFakeGCS();
    onTestFinished(() => server.stop());
    const folder = temporaryFolder('gcs-litestream');
    const database = path.join(folder, 'app.db');
    const url = `gs://${server.bucket}/app.db`;
    // Without a scheme, as Google's SDK for Go expects it.
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, STORAGE_EMULATOR_HOST: server.endpoint.replace('http://', '') };
    const config = path.join(folder, 'both.yml');
    fs.writeFileSync(config, `dbs: [{ path: ${database}, replicas: [{ url: "${url}" }] }]\n`);

    const sluice = async (...words: string[]): Promise<unknown> =>
      await run(process.execPath, [CLI, ...words], { env });
    const litestream = async (...words: string[]): Promise<unknown> =>
      await run(needTool('litestream-0.5.18'), words, { env });

    const written: string[] = [];
    for (const turn of [sluice, litestream, sluice, litestream]) {
      written.push(append(database));
      await turn('replicate', '-once', '-config', config);
      for (const restore of [sluice, litestream]) {
        const output = path.join(folder, 'restored.db');
        fs.rmSync(output, { force: true });
        await restore('restore', '-o', output, url);
        expect(valuesOf(output)).toEqual(written);
      }
    }
    expect((await rawKeys(server, 'app.db/ltx/0/')).length).toBeGreaterThanOrEqual(4);
  });
});

function append(file: string): string {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value TEXT)');
  const { lastInsertRowid } = database.prepare('INSERT INTO t (value) VALUES (?)').run('x');
  const value = `value ${lastInsertRowid}`;
  database.prepare('UPDATE t SET value = ? WHERE id = ?').run(value, lastInsertRowid);
  database.close();
  return value;
}

function valuesOf(file: string): unknown[] {
  const database = new Database(file, { readonly: true });
  const values = database.prepare('SELECT value FROM t ORDER BY id').pluck().all();
  database.close();
  return values;
}
