import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { sluice } from '../support/shell.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Runs `init` with these words; returns what `config check` reads from the file. */
async function init(words: readonly string[]): Promise<{ file: string; read: unknown }> {
  const file = path.join(temporaryFolder(), 'sluice.yml');
  const { code, stderr } = await sluice(['init', '-o', file, ...words]);
  expect([code, stderr]).toEqual([0, '']);
  const checked = await sluice(['config', 'check', '-json', '-config', file]);
  expect(checked.code, checked.stdout).toBe(0);
  return { file, read: JSON.parse(checked.stdout) };
}

test('without arguments it writes placeholders, and names the schema for editors', async () => {
  const { file, read } = await init([]);
  const text = fs.readFileSync(file, 'utf8');
  expect(text).toMatch(/^# yaml-language-server: \$schema=https:\/\/.*sluice\.schema\.json\n/);
  expect(read).toMatchObject({
    databases: [{ path: '/data/app.db', destinations: [{ target: 'file:///mnt/backup/app.db' }] }],
  });
});

test('it writes the given database and destinations', async () => {
  const { read } = await init(['/data/a b.db', 's3://bucket/a?region=eu-west-1', 'file:///mnt/b']);
  expect(read).toMatchObject({
    databases: [
      {
        path: '/data/a b.db',
        destinations: [{ target: 's3://bucket/a' }, { target: 'file:///mnt/b' }],
      },
    ],
  });
});

test('a dollar sign in a URL is not a variable, and only the owner can read the file', async () => {
  const url = 's3://bucket/a?access-key-id=k&secret-access-key=pa$word&region=r';
  const { file, read } = await init(['/data/app.db', url]);
  expect(read).toMatchObject({ notes: [], problems: [] });
  expect(fs.readFileSync(file, 'utf8')).toContain('pa$$word');
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
});

test('a file that exists is not replaced', async () => {
  const file = path.join(temporaryFolder(), 'sluice.yml');
  fs.writeFileSync(file, 'dbs: []\n');
  const { code, stderr } = await sluice(['init', '-o', file]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `write ${file}: it exists already; edit it, or choose another file with -o`,
  );
  expect(fs.readFileSync(file, 'utf8')).toBe('dbs: []\n');
});

test.each([
  [['/data/app.db'], 'no destination: write "sluice init /data/app.db URL"'],
  [['/data/app.db', 'nonsense://x'], 'nonsense'],
])('%s writes nothing and exits with 2', async (words, message) => {
  const file = path.join(temporaryFolder(), 'sluice.yml');
  const { code, stderr } = await sluice(['init', '-o', file, ...words]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(fs.existsSync(file)).toBe(false);
});
