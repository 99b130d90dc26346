/** Commands of the tool reach an application with `openSluice`, through the control socket of its databases. */

import path from 'node:path';
import { expect, test } from 'vitest';
import { runProcess } from '../../apps/cli/test/support/process.ts';
import { writeFile } from '../../apps/cli/test/support/temporary.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { insertRow, openApp, openDatabase, rowsAt } from './support.ts';

test('sync -wait, status, info and reseed of a database that an application replicates', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs: [{ path: ${app}, replicas: [{ name: near, path: ${folder}/near }, { name: far, path: ${folder}/far }] }]\n`,
  );
  const sluice = await openApp(folder);
  insertRow(openDatabase(app));

  const sync = await runProcess(['sync', '-config', config, '-wait', '-json', app]);
  expect(sync.code, sync.stderr).toBe(0);
  expect(JSON.parse(sync.stdout)).toMatchObject([
    { path: app, status: 'synced', destinations: ['near', 'far'] },
  ]);
  for (const name of ['near', 'far']) expect(await rowsAt(path.join(folder, name))).toEqual([1]);

  const status = await runProcess(['status', '-config', config, app]);
  expect(status.code, status.stdout).toBe(0);
  const info = await runProcess(['info', '-config', config, '-json', app]);
  expect(JSON.parse(info.stdout)).toMatchObject([
    {
      pid: sluice.pid,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
      database_count: 1,
    },
  ]);
  const reseed = await runProcess(['reseed', '-config', config, 'near', app]);
  expect(reseed.stdout + reseed.stderr).toContain('nothing was done');

  // Drills, repairs and starts are of the command alone.
  const drill = await runProcess(['drill', '-running', '-config', config, app]);
  expect(drill.code, drill.stdout).toBe(15);

  await sluice.close();
  const after = await runProcess(['sync', '-config', config, app]);
  expect(after.code).toBe(15);
});
