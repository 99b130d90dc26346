/** The page of an application that replicates with `openSluice`, by a handler in its own server. */

import path from 'node:path';
import { expect, test } from 'vitest';
import { createDashboard, sluiceSource } from '@sluice/dashboard';
import { serve } from '../../apps/dashboard/test/support/serve.ts';
import type { DatabaseRow } from '../../apps/dashboard/src/rows.ts';
import { judge } from '../../apps/dashboard/src/verdict.ts';
import { insertRow, openApp, openDatabase } from '../library/support.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Answer {
  readonly rows: readonly DatabaseRow[];
  readonly unreadable?: string;
}

test('shows the live status, and what it has not seen when the replication is over', async () => {
  const folder = temporaryFolder('page');
  const file = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  insertRow(openDatabase(file));
  await sluice.database(file).durable();
  const { url } = await serve(createDashboard(sluiceSource(sluice, [file]), { basePath: '/ops' }));
  const read = async (): Promise<Answer> =>
    (await (await fetch(`${url}/ops/api/status`)).json()) as Answer;
  const { rows } = await read();
  expect(rows.map(({ path: each, healthy }) => [each, healthy])).toEqual([[file, true]]);
  expect(rows[0]?.destinations.map(({ name, lagSeconds }) => [name, lagSeconds])).toEqual([
    ['near', 0],
    ['far', 0],
  ]);
  const live = { kind: 'live' } as const;
  const input = { connection: live, databases: rows, nowMs: Date.now() };
  expect(judge(input).causes.filter(({ color }) => color === 'red')).toEqual([]);
  const session = await (await fetch(`${url}/ops/api/session`)).json();
  expect(session).toMatchObject({ hasHistory: false, hasSamples: false, canRestore: false });
  expect((await fetch(`${url}/ops/api/plan?db=${file}`)).status).toBe(404);
  await sluice.close();
  const after = await read();
  const verdict = judge({ ...input, databases: after.rows, unreadable: after.unreadable });
  expect(verdict).toMatchObject({ color: 'red' });
});
