/** Places that lie in one another are refused by name, also where only a symbolic link shows it. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readText } from '../support/configuration.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Database {
  readonly path: string;
  readonly meta?: string;
  readonly replicas: readonly string[];
}

async function problemsOf(...databases: Database[]): Promise<string[]> {
  const lines = databases.map(({ path: file, meta, replicas }) => {
    const folders = replicas.map((folder) => `{ path: "${folder}" }`).join(', ');
    const staging = meta === undefined ? '' : `, meta-path: "${meta}"`;
    return `- { path: "${file}"${staging}, replicas: [${folders}] }`;
  });
  try {
    await readText(`dbs:\n${lines.join('\n')}\n`);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return String(error).split('\n').slice(1);
  }
}

const APP = '/data/app.db';
const STAGING = '/data/.app.db-sluice';

test.each([
  [STAGING, 'lies in the staging folder of'],
  [`${STAGING}/backup`, 'lies in the staging folder of'],
  [`${STAGING}/ltx/0`, 'lies in the staging folder of'],
  ['/data', 'holds the staging folder of'],
])('a destination at %s is refused: it %s the database', async (folder, how) => {
  expect(await problemsOf({ path: APP, replicas: [folder] })).toEqual([
    `test.yml:2: dbs[0].replicas[0]: ${folder} ${how} dbs[0], ${STAGING}: choose another place`,
  ]);
});

test('a destination in the staging folder of another database is refused', async () => {
  const other = { path: '/data/other.db', replicas: [`${STAGING}/x`] };
  expect(await problemsOf({ path: APP, replicas: ['/b'] }, other)).toEqual([
    `test.yml:3: dbs[1].replicas[0]: ${STAGING}/x lies in the staging folder of dbs[0], ${STAGING}: choose another place`,
  ]);
});

test.each(['wal', 'shm', 'journal'])(
  'a destination in the place of a -%s is refused: a folder there would stop the application',
  async (side) => {
    expect(await problemsOf({ path: APP, replicas: [`${APP}-${side}`] })).toEqual([
      `test.yml:2: dbs[0].replicas[0]: ${APP}-${side} is the -${side} file of dbs[0], ${APP}: choose another place`,
    ]);
  },
);

test.each(['wal', 'shm', 'journal'])(
  'a staging folder in the place of a -%s is refused',
  async (side) => {
    const [problem] = await problemsOf({ path: APP, replicas: ['/b'], meta: `${APP}-${side}` });
    expect(problem).toContain(`${APP}-${side} is the -${side} file of`);
  },
);

test.each([APP, `${APP}/backup`])(
  'a destination at %s is refused: a file is no folder',
  async (at) => {
    expect(await problemsOf({ path: APP, replicas: [at] })).toEqual([
      `test.yml:2: dbs[0].replicas[0]: ${at} is the database dbs[0], ${APP}: choose another place`,
    ]);
  },
);

test('a destination among the files of another is refused', async () => {
  expect(await problemsOf({ path: APP, replicas: ['/b', '/b/ltx/0'] })).toEqual([
    'test.yml:2: dbs[0].replicas[1]: /b/ltx/0 lies among the files of dbs[0].replicas[0], /b: choose another place',
  ]);
});

test('staging folders that are a database, hold one, or lie in one another are refused', async () => {
  expect(await problemsOf({ path: APP, meta: APP, replicas: ['/b'] })).toEqual([
    `test.yml:2: dbs[0]: ${APP} cannot be the staging folder: it lies at the database of dbs[0], ${APP}: choose another place`,
  ]);
  expect(await problemsOf({ path: '/m/app.db', meta: '/m', replicas: ['/b'] })).toEqual([
    'test.yml:2: dbs[0]: /m/app.db lies in the staging folder of dbs[0], /m: choose another place',
  ]);
  const one = { path: APP, meta: '/m', replicas: ['/b'] };
  const inner = { path: '/data/other.db', meta: '/m/ltx', replicas: ['/c'] };
  expect(await problemsOf(one, inner)).toEqual([
    'test.yml:3: dbs[1]: /m/ltx lies in the staging folder of dbs[0], /m: choose another place',
  ]);
});

test('what only begins with the same letters, or lies side by side, is fine', async () => {
  const folders = [
    '/data/backup',
    `${STAGING}-backup`,
    '/data/backup/app',
    '/data/..b',
    '/b',
    '/b/x',
  ];
  expect(await problemsOf({ path: APP, replicas: folders })).toEqual([]);
  expect(await problemsOf({ path: APP, meta: '/m', replicas: ['/data'] })).toEqual([]);
});

test('a symbolic link is followed, also to what is not there yet', async () => {
  const folder = fs.realpathSync(temporaryFolder());
  const link = path.join(folder, 'link');
  fs.mkdirSync(path.join(folder, 'data'));
  fs.symlinkSync(path.join(folder, 'data'), link);
  const database = path.join(folder, 'data', 'app.db');
  const inside = await problemsOf({ path: database, replicas: [`${link}/.app.db-sluice/b`] });
  expect(inside.join()).toContain('lies in the staging folder of dbs[0]');
  const twice = await problemsOf(
    { path: database, replicas: ['/b'] },
    { path: `${link}/app.db`, replicas: ['/c'] },
  );
  expect(twice.join()).toContain(`dbs[1].path: ${link}/app.db is the path of dbs[0].path already`);
  const replicas = [`${folder}/data/b`, `${link}/b`];
  const same = await problemsOf({ path: '/elsewhere/app.db', replicas });
  expect(same.join()).toContain('is the target of dbs[0].replicas[0] already');
});
