/** The page behind a proxy on the same machine, which passes the name in the address bar on. */

import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess } from '../support/process.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** `fetch` does not let us choose the host. */
async function get(url: string, host: string): Promise<{ status?: number; body: string }> {
  const [response] = (await once(http.get(url, { headers: { host } }), 'response')) as [
    http.IncomingMessage,
  ];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

test('a name of page.hosts opens the page on the loopback interface, and another one does not', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 1);
  const config = writeFile(
    folder,
    'sluice.yml',
    `addr: ':0'\npage: { hosts: [Ops.example] }\ndbs: [{ path: ${database}, replica: { path: ${folder}/backup } }]\n`,
  );
  const replicator = new CLIProcess(['replicate', '-config', config]);
  const [, site = ''] = await replicator.says(/page at (http:\/\/\S+)\//);
  const known = await get(`${site}/api/status`, 'ops.example:443');
  expect(known.status, known.body).toBe(200);
  expect(JSON.parse(known.body)).toMatchObject({ rows: [{ path: database }] });
  const foreign = await get(`${site}/api/status`, 'evil.example');
  expect(foreign).toEqual({ status: 421, body: expect.stringContaining('page.hosts') as string });
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
});
