/** Commands for a running replicator over HTTP, with the token of the page. */

import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows, countRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const TOKEN = 'correct-horse-battery-staple';

interface Answer {
  readonly status: number;
  /** The last line. */
  readonly end: { readonly answer?: unknown; readonly error?: { readonly message: string } };
}

interface Scene {
  readonly folder: string;
  readonly database: string;
  readonly replicator: CLIProcess;
  readonly run: (command: string, input?: object, token?: string) => Promise<Answer>;
}

async function replicated(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  const config = writeFile(
    folder,
    'sluice.yml',
    `addr: ':0'\npage: { token: ${TOKEN} }\ndbs: [{ path: ${database}, replica: { name: near, path: ${folder}/near } }]\n`,
  );
  const replicator = new CLIProcess(['replicate', '-config', config]);
  const [, site = ''] = await replicator.says(/page at (http:\/\/\S+)\//);
  await replicator.says(/full snapshot/);
  const run: Scene['run'] = async (command, input, token = TOKEN) => {
    const response = await fetch(`${site}/api/command`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ command, input }),
    });
    const lines = (await response.text()).trimEnd().split('\n');
    return { status: response.status, end: JSON.parse(lines.at(-1) ?? '') as Answer['end'] };
  };
  return { folder, database, replicator, run };
}

test('a database is synced, drilled, stopped and started over HTTP', async () => {
  const { folder, database, replicator, run } = await replicated();
  const synced = await run('sync', { path: database, min: 'all' });
  expect(synced).toMatchObject({
    status: 200,
    end: { answer: { path: database, status: 'synced', destinations: ['near'] } },
  });
  const output = path.join(folder, 'restored.db');
  expect((await runProcess(['restore', '-o', output, `file://${folder}/near`])).code).toBe(0);
  expect(countRows(output)).toBe(3);

  expect(await run('list')).toMatchObject({
    status: 200,
    end: { answer: { databases: [{ path: database, status: 'replicating' }] } },
  });
  const drill = { replica: 'near', at: 'latest', integrity_check: 'quick', assertions: [] };
  expect(await run('drill', { path: database, ...drill })).toMatchObject({
    status: 200,
    end: { answer: { database, report: { result: 'ok' } } },
  });
  expect((await run('stop', { path: database })).end.answer).toMatchObject({ status: 'stopped' });
  expect((await run('start', { path: database })).end.answer).toMatchObject({ status: 'started' });

  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
});

test('what may not or cannot be done over HTTP is refused, and changes nothing', async () => {
  const { folder, database, replicator, run } = await replicated();
  expect((await run('stop', { path: database }, 'another-token')).status).toBe(403);
  const unknown = await run('restart');
  expect(unknown.status).toBe(400);
  expect(unknown.end.error?.message).toMatch(/there is no command restart; there are info, list/);
  expect((await run('constructor')).status).toBe(400);
  expect((await run('sync')).end.error?.message).toMatch(/run sync: its input needs a path/);
  expect((await run('sync', { path: path.join(folder, 'other.db') })).status).toBe(400);
  const other = path.join(folder, 'other.db');
  addRows(other, 1);
  const register = await run('register', { path: other, urls: [`file://${folder}/stolen`] });
  expect(register.status).toBe(400);
  expect(register.end.error?.message).toMatch(/register over HTTP takes no urls/);
  const { end } = await run('list');
  expect(end.answer).toMatchObject({ databases: [{ path: database, status: 'replicating' }] });
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
});
