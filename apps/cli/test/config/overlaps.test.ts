/** Overlapping folders are refused, also if they overlap only through a symbolic link. */

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
  [STAGING, 'is inside the staging folder of'],
  [`${STAGING}/backup`, 'is inside the staging folder of'],
  [`${STAGING}/ltx/0`, 'is inside the staging folder of'],
  ['/data', 'contains the staging folder of'],
])('a destination at %s is refused: it %s the database', async (folder, how) => {
  expect(await problemsOf({ path: APP, replicas: [folder] })).toEqual([
    `test.yml:2: dbs[0].replicas[0]: ${folder} ${how} dbs[0], ${STAGING}: choose another folder`,
  ]);
});

test('a destination inside the staging folder of another database is refused', async () => {
  const other = { path: '/data/other.db', replicas: [`${STAGING}/x`] };
  expect(await problemsOf({ path: APP, replicas: ['/b'] }, other)).toEqual([
    `test.yml:3: dbs[1].replicas[0]: ${STAGING}/x is inside the staging folder of dbs[0], ${STAGING}: choose another folder`,
  ]);
});

test.each(['wal', 'shm', 'journal'])(
  'a destination at the path of a -%s file is refused',
  async (side) => {
    expect(await problemsOf({ path: APP, replicas: [`${APP}-${side}`] })).toEqual([
      `test.yml:2: dbs[0].replicas[0]: ${APP}-${side} is the -${side} file of dbs[0], ${APP}: choose another folder`,
    ]);
  },
);

test.each(['wal', 'shm', 'journal'])(
  'a staging folder at the path of a -%s file is refused',
  async (side) => {
    const [problem] = await problemsOf({ path: APP, replicas: ['/b'], meta: `${APP}-${side}` });
    expect(problem).toContain(`${APP}-${side} is the -${side} file of`);
  },
);

test.each([APP, `${APP}/backup`])(
  'a destination at %s, in or at the database file, is refused',
  async (at) => {
    expect(await problemsOf({ path: APP, replicas: [at] })).toEqual([
      `test.yml:2: dbs[0].replicas[0]: ${at} is the database dbs[0], ${APP}: choose another folder`,
    ]);
  },
);

test('a destination inside the levels of another is refused', async () => {
  expect(await problemsOf({ path: APP, replicas: ['/b', '/b/ltx/0'] })).toEqual([
    'test.yml:2: dbs[0].replicas[1]: /b/ltx/0 is inside the levels of dbs[0].replicas[0], /b: choose another folder',
  ]);
});

test('a staging folder that is or contains a database, or is inside another one, is refused', async () => {
  expect(await problemsOf({ path: APP, meta: APP, replicas: ['/b'] })).toEqual([
    `test.yml:2: dbs[0]: ${APP} cannot be the staging folder: it is at the path of the database of dbs[0], ${APP}: choose another folder`,
  ]);
  expect(await problemsOf({ path: '/m/app.db', meta: '/m', replicas: ['/b'] })).toEqual([
    'test.yml:2: dbs[0]: /m/app.db is inside the staging folder of dbs[0], /m: choose another folder',
  ]);
  const one = { path: APP, meta: '/m', replicas: ['/b'] };
  const inner = { path: '/data/other.db', meta: '/m/ltx', replicas: ['/c'] };
  expect(await problemsOf(one, inner)).toEqual([
    'test.yml:3: dbs[1]: /m/ltx is inside the staging folder of dbs[0], /m: choose another folder',
  ]);
});

test('folders with the same prefix, and neighboring folders, are accepted', async () => {
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

test('symbolic links are resolved, also for missing files', async () => {
  const folder = fs.realpathSync(temporaryFolder());
  const link = path.join(folder, 'link');
  fs.mkdirSync(path.join(folder, 'data'));
  fs.symlinkSync(path.join(folder, 'data'), link);
  const database = path.join(folder, 'data', 'app.db');
  const inside = await problemsOf({ path: database, replicas: [`${link}/.app.db-sluice/b`] });
  expect(inside.join()).toContain('is inside the staging folder of dbs[0]');
  const twice = await problemsOf(
    { path: database, replicas: ['/b'] },
    { path: `${link}/app.db`, replicas: ['/c'] },
  );
  expect(twice.join()).toContain(`dbs[1].path: ${link}/app.db is already the path of dbs[0].path`);
  const replicas = [`${folder}/data/b`, `${link}/b`];
  const same = await problemsOf({ path: '/elsewhere/app.db', replicas });
  expect(same.join()).toContain('is already the target of dbs[0].replicas[0]');
});

test('two hard links of one database are refused', async () => {
  const folder = temporaryFolder();
  const [file, link] = [path.join(folder, 'app.db'), path.join(folder, 'link.db')];
  fs.writeFileSync(file, '');
  const other = { path: link, replicas: ['/c'] };
  expect(await problemsOf({ path: file, replicas: ['/b'] }, other)).toEqual([]);
  fs.linkSync(file, link);
  expect(await problemsOf({ path: file, replicas: ['/b'] }, other)).toEqual([
    `test.yml:3: dbs[1].path: ${link} is the same file as the path of dbs[0].path (a hard link): use the name that the application uses`,
  ]);
});
