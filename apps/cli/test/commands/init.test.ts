import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { renderUnit } from '../../src/packaging/systemd.ts';
import { ask } from '../../src/packaging/questions.ts';
import { addRows } from '../support/database.ts';
import { CLI } from '../support/process.ts';
import { Capture, sluice } from '../support/shell.ts';
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

test('a folder is a directory of databases', async () => {
  const folder = temporaryFolder();
  addRows(path.join(folder, 'tenant.db'), 1);
  const { file, read } = await init(['-systemd', folder, 's3://bucket/tenants']);
  expect(read).toMatchObject({
    notes: [],
    databases: [
      {
        path: path.join(folder, 'tenant.db'),
        destinations: [{ target: 's3://bucket/tenants/tenant.db' }],
      },
    ],
  });
  const unit = fs.readFileSync(path.join(path.dirname(file), 'sluice.service'), 'utf8');
  expect(unit).toContain(`ReadWritePaths=${folder}\n`);
  const { code, stderr } = await sluice(['init', '-force', '-k8s', '-o', file, folder, 's3://b/a']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('-k8s: a pod restores one database')]);
});

test('a file that exists is not replaced', async () => {
  const file = path.join(temporaryFolder(), 'sluice.yml');
  fs.writeFileSync(file, 'dbs: []\n');
  const { code, stderr } = await sluice(['init', '-o', file]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `write ${file}: it exists already; edit it, choose another file with -o, or replace it with -force`,
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

test('every key that is commented out can be used as it is written', async () => {
  const { file } = await init(['/data/app.db', 's3://bucket/app.db', 'file:///mnt/backup/app.db']);
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const used = lines.map((line, index) =>
    index === 0 ? line : line.replace(/^( *)# ((?: |- )*[a-z-]+: ?.*)$/, '$1$2'),
  );
  expect(used.filter((line, index) => line !== lines[index]).length).toBeGreaterThan(6);
  fs.writeFileSync(file, used.join('\n'));
  const { code, stdout } = await sluice(['config', 'check', '-json', '-config', file]);
  expect(code, stdout).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ notes: [], problems: [] });
});

const ALL = ['-systemd', '-compose', '-k8s', '-kamal'];
const FILES = [
  'sluice.yml',
  'sluice.service',
  'sluice.compose.yml',
  'sluice.k8s.yaml',
  'sluice.kamal.yml',
];

test('the files of a service are written beside the configuration, and all are named', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'sluice.yml');
  const words = ['init', '-json', '-o', file, ...ALL, '/data/app.db', 's3://bucket/app.db'];
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  const files = FILES.map((name) => path.join(folder, name));
  expect(JSON.parse(stdout)).toEqual({ file, files });
  expect(fs.readdirSync(folder).sort()).toEqual([...FILES].sort());
  const modes = files.map((each) => (fs.statSync(each).mode & 0o777).toString(8));
  expect(modes).toEqual(['600', '644', '644', '600', '644']); // two contain the configuration
});

test('if one of them exists, none is written; -force replaces it', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'sluice.yml');
  const other = path.join(folder, 'sluice.k8s.yaml');
  fs.writeFileSync(other, 'mine');
  const words = ['init', '-o', file, ...ALL, '/data/app.db', 's3://bucket/app.db'];
  const { code, stderr } = await sluice(words);
  expect([code, stderr]).toEqual([2, expect.stringContaining(`write ${other}: it exists already`)]);
  expect(fs.readdirSync(folder)).toEqual(['sluice.k8s.yaml']);
  expect(fs.readFileSync(other, 'utf8')).toBe('mine');
  expect((await sluice([...words, '-force'])).code).toBe(0);
  expect(fs.readFileSync(other, 'utf8')).toContain('kind: StatefulSet');
});

test('a service runs as the owner of the database, unless -user names another', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  fs.writeFileSync(database, '');
  const { uid, gid } = fs.statSync(database);
  const words = ['init', '-force', '-systemd', '-o', path.join(folder, 'sluice.yml')];
  const unit = (): string => fs.readFileSync(path.join(folder, 'sluice.service'), 'utf8');
  await sluice([...words, database, 's3://bucket/app.db']);
  expect(unit()).toContain(`User=${uid}\nGroup=${gid}\n`);
  await sluice([...words, '-user', '7:8', database, 's3://bucket/app.db']);
  expect(unit()).toContain('User=7\nGroup=8\n');
  await sluice([...words, '-user', 'root', database, 's3://bucket/app.db']);
  expect(unit()).toContain('User=0\nGroup=0\n');
  const { code, stderr } = await sluice([...words, '-user', 'no-such', database, 's3://b/a']);
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('-user no-such: there is no such user'),
  ]);
});

test('only the folders that Sluice writes to are writable, and homes and /tmp are visible only if needed', async () => {
  const file = path.join(temporaryFolder(), 'sluice.yml');
  const words = ['init', '-force', '-systemd', '-user', '1', '-o', file];
  const unit = (): string =>
    fs.readFileSync(path.join(path.dirname(file), 'sluice.service'), 'utf8');
  await sluice([...words, '/home/me/app.db', 'file:///mnt/b/app', 'file:///c']);
  expect(unit()).toContain('ReadWritePaths=/home/me /mnt/b /c\n');
  expect(unit()).toContain('ProtectHome=no\n');
  await sluice([...words, '/homes/app.db', 'file:///mnt/b/app']);
  expect(unit()).toContain('ProtectHome=yes\n');
});

test('the service can read its configuration, and folders that are missing are named', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'sluice.yml');
  const missing = path.join(folder, 'data');
  const database = path.join(missing, 'app.db');
  const words = ['init', '-systemd', '-user', '4711:4712', '-o', file, database, 's3://b/a'];
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  expect(stdout).toContain(`Before you start the service, create ${missing}\n`);
  const isRoot = process.geteuid?.() === 0; // only root can give files away
  const { uid, gid } = fs.statSync(isRoot ? file : folder);
  expect(fs.statSync(file)).toMatchObject({ uid, gid });
  if (isRoot) expect([uid, gid]).toEqual([4711, 4712]);
  fs.mkdirSync(missing);
  expect((await sluice([...words, '-force'])).stdout).not.toContain('Before you start');
});

test('a unit can start a program in a home or in /tmp', () => {
  const deployment = {
    database: '/data/app.db',
    config: '/etc/sluice.yml',
    configText: '',
    folders: ['/data'],
    credentials: [],
    account: { uid: 1, gid: 1 },
    image: '',
  };
  const unit = (...program: string[]): string => renderUnit({ ...deployment, program });
  expect(unit('/usr/bin/node', '/usr/lib/sluice/main.js')).toMatch(
    /^ProtectHome=yes\nPrivateTmp=yes$/m,
  );
  expect(unit('/home/me/bin/node', '/usr/lib/sluice/main.js')).toMatch(/^ProtectHome=no$/m);
  expect(unit('/tmp/node', '/usr/lib/sluice/main.js')).toMatch(/^PrivateTmp=no$/m);
  // One file unpacks itself into a folder of its own.
  expect(unit('/usr/bin/sluice')).toMatch(/^CacheDirectory=sluice$/m);
  expect(unit('/usr/bin/node', '/usr/lib/sluice/main.js')).not.toContain('CacheDirectory');
});

/** Asks with these lines as the input. */
async function answer(lines: readonly string[]): Promise<{ answers: unknown; shown: string }> {
  const input = new PassThrough();
  const output = new Capture();
  const rules = {
    kinds: ['systemd', 'k8s'],
    checkURL: async (_: string, url: string): Promise<void> => {
      if (!url.includes('://')) throw new Error(`${url} is no URL`);
    },
  };
  const asked = ask({ input, output }, rules);
  input.end(lines.map((line) => `${line}\n`).join(''));
  return { answers: await asked, shown: output.text };
}

test('it asks again after an answer that cannot be used', async () => {
  const lines = [
    '',
    '/data/app.db',
    '',
    'nonsense',
    's3://b/a',
    'file:///b',
    '',
    'docker',
    'systemd, k8s',
  ];
  const { answers, shown } = await answer(lines);
  const urls = ['s3://b/a', 'file:///b'];
  expect(answers).toEqual({ database: '/data/app.db', urls, kinds: ['systemd', 'k8s'] });
  expect(shown).toContain('nonsense is no URL\n');
  expect(shown).toContain('"docker" is not one of them\n');
});

test.each([0, 1, 2, 3])(
  'if the input ends after %i answers, nothing is to be written',
  async (count) => {
    const { answers } = await answer(['/data/app.db', 's3://b/a', ''].slice(0, count));
    expect(answers).toBeUndefined();
  },
);

test.runIf(process.platform === 'linux')(
  'on a real terminal it asks, and writes the answers',
  async () => {
    const folder = temporaryFolder();
    const command = `'${process.execPath}' '${CLI}' init`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder });
    let shown = '';
    const answers = ['/data/app.db', 's3://bucket/app.db', '', 'compose'];
    const questions = [
      /Path of the database: $/,
      /Where to back it up.*: $/,
      /A further.*: $/,
      /Also write.*: $/,
    ];
    terminal.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
      const plain = stripVTControlCharacters(shown);
      if (questions[0]?.test(plain) !== true) return;
      questions.shift();
      terminal.stdin.write(`${answers.shift()}\n`);
    });
    const [code] = (await once(terminal, 'close')) as [number];
    expect([code, shown]).toEqual([
      0,
      expect.stringContaining('sluice.yml and sluice.compose.yml were written'),
    ]);
    expect(fs.readFileSync(path.join(folder, 'sluice.yml'), 'utf8')).toContain(
      'url: s3://bucket/app.db',
    );
  },
);
