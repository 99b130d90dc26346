/** Directories in the configuration: which files are meant, where they are sent, and what is refused. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/model.ts';
import { matchesPattern, problemWithPattern } from '../../src/config/pattern.ts';
import { scanDirectory, withFound } from '../../src/config/scan.ts';
import { databaseAt } from '../../src/select.ts';
import { readText } from '../support/configuration.ts';
import { addRows } from '../support/database.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

test.each([
  ['*.db', 'a.db', true],
  ['*.db', 'a.db-wal', false],
  ['*.db', 'a.sqlite', false],
  ['*', 'anything', true],
  ['app-?.db', 'app-1.db', true],
  ['app-?.db', 'app-12.db', false],
  ['app-[0-9].db', 'app-7.db', true],
  ['app-[^0-9].db', 'app-7.db', false],
  ['app-[^0-9].db', 'app-x.db', true],
  ['[.]*', '.x', true],
  ['[.]*', 'x', false],
  ['a.b', 'axb', false],
  [String.raw`a\*b`, 'a*b', true],
  [String.raw`a\*b`, 'axb', false],
  ['(a|b)+$', '(a|b)+$', true],
  ['ü*.db', 'über.db', true],
])('%s, %s: %s', (pattern, name, matches) => {
  expect(problemWithPattern(pattern)).toBeUndefined();
  expect(matchesPattern(name, pattern)).toBe(matches);
});

test.each(['[a', 'a\\', '[z-a]', 'sub/*.db'])('%s is no pattern', async (pattern) => {
  const text = `dbs: [{ dir: /data, pattern: '${pattern}', replica: { path: /b } }]`;
  await expect(readText(text)).rejects.toThrow(/pattern/);
});

interface Tree {
  readonly dir: string;
  readonly read: (more?: string, replica?: string) => Promise<Config>;
}

/** a.db, b.sqlite and sub/c.db are databases. */
function newTree(): Tree {
  const folder = temporaryFolder();
  const dir = path.join(folder, 'data');
  fs.mkdirSync(path.join(dir, 'sub'), { recursive: true });
  for (const name of ['a.db', 'b.sqlite', 'sub/c.db']) addRows(path.join(dir, name), 1);
  return {
    dir,
    read: async (more = '', replica = 'path: /backup/tenants') =>
      await withFound(
        await readText(`dbs: [{ dir: ${dir}, pattern: '*.db'${more}, replica: { ${replica} } }]`),
      ),
  };
}

/** Path and target of each database. */
function targetsOf({ databases }: Config): string[][] {
  return databases.map(({ options, destinations }) => [
    options.path,
    ...destinations.map(({ target }) => target),
  ]);
}

test('a database is sent to its own path below that of the directory', async () => {
  const { dir, read } = newTree();
  expect(targetsOf(await read())).toEqual([[`${dir}/a.db`, 'file:///backup/tenants/a.db']]);
  expect(targetsOf(await read(', recursive: true'))).toEqual([
    [`${dir}/a.db`, 'file:///backup/tenants/a.db'],
    [`${dir}/sub/c.db`, 'file:///backup/tenants/sub/c.db'],
  ]);
  const s3 = await read(', recursive: true', 'url: "s3://bucket/base"');
  expect(targetsOf(s3).map(([, target]) => target)).toEqual([
    's3://bucket/base/a.db',
    's3://bucket/base/sub/c.db',
  ]);
  expect(targetsOf(await read('', 'url: "s3://bucket"'))).toEqual([
    [`${dir}/a.db`, 's3://bucket/a.db'],
  ]);
});

test('its settings are those of the directory', async () => {
  const { dir, read } = newTree();
  const { databases } = await read(`, recursive: true, max-lag: 5m, meta-dir: ${dir}-meta`);
  expect(databases.map(({ options }) => [options.maxLagMs, options.metaPath])).toEqual([
    [300_000, `${dir}-meta/.a.db-sluice`],
    [300_000, `${dir}-meta/sub/.c.db-sluice`],
  ]);
  expect(databases.map(({ directory }) => directory)).toEqual([dir, dir]);
});

test('a database that does not exist is found by its path, if the pattern means it', async () => {
  const { dir, read } = newTree();
  const config = await read(', recursive: true');
  const targetAt = (file: string): string | undefined =>
    databaseAt(config, path.join(dir, file))?.destinations[0]?.target;
  expect(targetAt('gone.db')).toBe('file:///backup/tenants/gone.db');
  expect(targetAt('deep/er/gone.db')).toBe('file:///backup/tenants/deep/er/gone.db');
  for (const file of ['gone.sqlite', '../gone.db', 'a.db-wal', '.x.db-sluice/y.db', 'ltx/0.db']) {
    expect(targetAt(file), file).toBeUndefined();
  }
  expect(databaseAt(await read(), path.join(dir, 'sub/c.db'))).toBeUndefined();
});

test('what is not a database is left alone, with the reason', async () => {
  const { dir, read } = newTree();
  writeFile(dir, 'text.db', 'not a database at all');
  writeFile(dir, 'empty.db', '');
  writeFile(dir, '.a.db-sluice/inner.db', '');
  writeFile(dir, 'x.db.tmp', '');
  addRows(path.join(dir, 'ltx.db'), 1);
  fs.mkdirSync(path.join(dir, 'ltx'));
  addRows(path.join(dir, 'ltx', 'd.db'), 1);
  fs.symlinkSync(path.join(dir, 'a.db'), path.join(dir, 'link.db'));
  const { databases, notes, directories } = await read(', recursive: true');
  expect(databases.map(({ options }) => path.relative(dir, options.path))).toEqual([
    'a.db',
    'ltx.db',
    'sub/c.db',
  ]);
  expect([...notes].sort()).toEqual([
    `${dir}/ltx/d.db is left alone: the name ltx is reserved for files of a replica: rename it`,
    `${dir}/text.db is left alone: it is not a SQLite database, or is encrypted`,
  ]);
  // A database that may be open in this process is not opened once more.
  const [directory] = directories;
  const opened: string[] = [];
  const scan = await scanDirectory(directory as NonNullable<typeof directory>, new Set(), {
    isKnown: (file) => file.endsWith('/a.db'),
    examine: async (files) => {
      opened.push(...files);
      return files.map(() => 'empty' as const);
    },
  });
  expect(opened).not.toContain(`${dir}/a.db`);
  expect(scan.kind === 'found' && scan.databases.map(({ options }) => options.path)).toEqual([
    `${dir}/a.db`,
  ]);
  // Nor is it made once more.
  const [known] = databases;
  const again = await scanDirectory(directory as NonNullable<typeof directory>, new Set(), {
    madeBefore: (file) => (file === known?.options.path ? known : undefined),
  });
  expect(again.kind === 'found' && again.databases.map(({ options }) => options.path)).toEqual(
    databases.map(({ options }) => options.path),
  );
  expect(again.kind === 'found' && again.databases[0]).toBe(known);
});

test('a database that the configuration names itself is not found again', async () => {
  const { dir } = newTree();
  const config = await withFound(
    await readText(`dbs:
- { dir: ${dir}, pattern: '*', replica: { path: /backup/tenants } }
- { path: ${dir}/a.db, replica: { path: /backup/other } }
`),
  );
  expect(targetsOf(config)).toEqual([
    [`${dir}/a.db`, 'file:///backup/other'],
    [`${dir}/b.sqlite`, 'file:///backup/tenants/b.sqlite'],
  ]);
});

test('a directory that cannot be read is named', async () => {
  const config = await withFound(
    await readText(`dbs: [{ dir: /missing/x, pattern: '*', replica: { path: /b } }]`),
  );
  expect(config.databases).toEqual([]);
  expect(config.unreadable).toEqual([
    { dir: '/missing/x', why: expect.stringContaining('ENOENT') as string },
  ]);
});

test.each([
  ['*.sqlit', 'b.sqlite', ''],
  ['c.db', 'a.db', ', recursive: false'],
])('the pattern %s is called wrong because of a database', async (pattern, found, more) => {
  const { dir } = newTree();
  const entry = `{ dir: ${dir}, pattern: '${pattern}'${more}, replica: { path: /b } }`;
  fs.rmSync(path.join(dir, found === 'a.db' ? 'b.sqlite' : 'a.db'));
  const config = await withFound(await readText(`dbs: [${entry}]`));
  const why = `no file in it matches the pattern ${pattern}, and ${found} is a database: correct the pattern`;
  expect(config.unmatched).toEqual([{ dir, why }]);
  expect(config.notes).toContain(`nothing of the directory ${dir} is replicated: ${why}`);
});

test('a pattern is not called wrong if other entries mean the databases, or there are none', async () => {
  const { dir } = newTree();
  fs.rmSync(path.join(dir, 'b.sqlite'));
  fs.writeFileSync(path.join(dir, 'notes.txt'), 'no database');
  fs.writeFileSync(path.join(dir, 'empty'), '');
  const own = `{ path: ${dir}/a.db, replica: { path: /c } }`;
  const wrong = `{ dir: ${dir}, pattern: '*.sqlite', replica: { path: /b } }`;
  const named = await withFound(await readText(`dbs: [${wrong}, ${own}]`));
  expect(named.unmatched).toEqual([]);
  const right = ENTRY(dir, 'path: /d');
  const meant = await withFound(await readText(`dbs: [${wrong}, ${right}]`));
  expect(meant.unmatched).toEqual([]);
  expect(meant.databases).toHaveLength(1);
});

const ENTRY = (dir: string, replica: string, more = ''): string =>
  `{ dir: ${dir}, pattern: '*.db'${more}, replica: { ${replica} } }`;

test.each([
  ['no pattern', '{ dir: /data, replica: { path: /b } }', 'pattern is missing'],
  ['path and dir', ENTRY('/data', 'path: /b', ', path: /x.db'), 'path: cannot be used with dir'],
  ['meta-path', ENTRY('/data', 'path: /b', ', meta-path: /m'), 'use meta-dir'],
  [
    'a restore of what has no name',
    ENTRY('/data', 'path: /b', ', restore-if-db-not-exists: true'),
    'restore-if-db-not-exists: cannot be used with dir',
  ],
  ['a key of directories', '{ path: /d.db, recursive: true, replica: { path: /b } }', 'needs dir'],
  ['the same base twice', `${ENTRY('/x', 'path: /b')}, ${ENTRY('/y', 'path: /b')}`, 'is inside'],
  ['a base in another', `${ENTRY('/x', 'path: /b/c')}, ${ENTRY('/y', 'path: /b')}`, 'is inside'],
  [
    'the same bucket with other credentials',
    `${ENTRY('/x', 'url: "s3://b/p"')}, ${ENTRY('/y', 'url: "s3://b/p/q", access-key-id: k, secret-access-key: s')}`,
    'is inside the path',
  ],
  [
    'a database below the base',
    `${ENTRY('/x', 'path: /b')}, { path: /y.db, replica: { path: /b/y.db } }`,
    'is inside the path',
  ],
  ['the directory as its base', ENTRY('/data', 'path: /data'), 'is inside the directory'],
  ['a base in it', ENTRY('/data', 'path: /data/b', ', recursive: true'), 'is inside the directory'],
  ['a base around it', ENTRY('/data/x', 'path: /data'), 'or contains it'],
  ['a base in meta-dir', ENTRY('/data', 'path: /m/b', ', meta-dir: /m'), 'is inside the meta-dir'],
  [
    'meta-dir in another',
    `${ENTRY('/x', 'path: /b', ', meta-dir: /m')}, ${ENTRY('/y', 'path: /c', ', meta-dir: /m/n')}`,
    'is inside the meta-dir',
  ],
])('%s is refused', async (_, entries, says) => {
  await expect(readText(`dbs: [${entries}]`)).rejects.toThrow(says);
});

test.each([
  [`${ENTRY('/x', 'path: /b/x')}, ${ENTRY('/y', 'path: /b/y')}`],
  [`${ENTRY('/x', 'path: /b')}, { path: /y.db, replica: { path: /by/y.db } }`],
  [`${ENTRY('/x', 'url: "s3://b/p"')}, ${ENTRY('/y', 'url: "s3://c/p"')}`],
  [ENTRY('/data', 'path: /data/backup')],
])('%s is accepted', async (entries) => {
  expect((await readText(`dbs: [${entries}]`)).directories.length).toBeGreaterThan(0);
});
