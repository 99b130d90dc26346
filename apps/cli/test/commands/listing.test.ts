import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { goldenBucket } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const ISO = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

test('ltx lists level 0 by default, as in Litestream', async () => {
  const { code, stdout } = await sluice(['ltx', `file://${goldenBucket()}`, '-json']);
  expect(code).toBe(0);
  const rows = JSON.parse(stdout) as Record<string, unknown>[];
  expect(rows).toHaveLength(0x19);
  expect(rows[0]).toEqual({
    level: 0,
    min_txid: '0000000000000001',
    max_txid: '0000000000000001',
    size: expect.any(Number) as number,
    timestamp: expect.stringMatching(ISO) as string,
    name: '0000000000000001-0000000000000001.ltx',
    replica: 'file',
  });
});

test('ltx -level all lists all files, and -level 9 the snapshots', async () => {
  const bucket = goldenBucket();
  const rowsOf = async (level: string): Promise<number> => {
    const { stdout } = await sluice(['ltx', '-level', level, `file://${bucket}`]);
    return stdout.trim().split('\n').length - 1;
  };
  const files = (fs.readdirSync(bucket, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.ltx'),
  );
  expect(await rowsOf('all')).toBe(files.length);
  expect(await rowsOf('9')).toBe(fs.readdirSync(path.join(bucket, 'ltx/9')).length);
});

test.each(['10', '-1', 'some'])('ltx -level %s is refused', async (level) => {
  const { code, stderr } = await sluice(['ltx', `-level=${level}`, 'file:///a']);
  expect([code, stderr]).toEqual([
    2,
    `sluice ltx: -level is 0 to 9, or all, not "${level}" (CONFIG_INVALID)\n`,
  ]);
});

test('an empty listing names the destinations', async () => {
  const folder = temporaryFolder();
  const { code, stdout, stderr } = await sluice([
    'ltx',
    '-level',
    '9',
    '-json',
    `file://${folder}`,
  ]);
  expect([code, stdout]).toEqual([0, '[]\n']);
  expect(stderr).toContain(`msg="there are no LTX files at level 9 at file (file://${folder})"`);
});

test('wal is an alias of ltx, with a warning', async () => {
  const bucket = goldenBucket();
  const { code, stdout, stderr } = await sluice(['wal', `file://${bucket}`]);
  expect(code).toBe(0);
  expect(stdout).toBe((await sluice(['ltx', `file://${bucket}`])).stdout);
  expect(stderr).toContain('wal is an old name: use ltx');
});

test('if a destination fails, the others are listed, and the exit code is not 0', async () => {
  const config = writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs: [{ path: /d, replicas: [{ path: /nowhere/at/all }, { path: ${goldenBucket()} }] }]`,
  );
  const { code, stdout, stderr } = await sluice(['ltx', '-config', config, '/d', '-json']);
  expect(code).toBe(7);
  expect(JSON.parse(stdout)).toHaveLength(0x19);
  expect(stderr).toMatch(
    /level=ERROR msg="file: .*the folder does not exist.*" code=REPLICA_DESTINATION_NOT_FOUND/,
  );
});

test('a URL with one slash is recognized', async () => {
  const config = writeFile(
    temporaryFolder(),
    's.yml',
    'dbs: [{ path: /d, replica: { path: /b } }]',
  );
  const { code, stderr } = await sluice(['ltx', '-config', config, 's3:/bucket/app']);
  expect(code).toBe(2);
  expect(stderr).toContain('which has /d; a URL has two slashes, as in s3://bucket/path');
});

test('databases lists each database with its destinations', async () => {
  const config = writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:
- { path: /d, replicas: [{ type: s3, bucket: b, path: p }, { path: /backup, name: disk }] }
- { path: /e, replica: { path: /backup-e } }
`,
  );
  const { stdout } = await sluice(['databases', '-config', config, '-json']);
  expect(JSON.parse(stdout)).toEqual([
    {
      path: '/d',
      replica: 's3',
      destinations: [
        { name: 's3', type: 's3', target: 's3://b/p' },
        { name: 'disk', type: 'file', target: 'file:///backup' },
      ],
    },
    {
      path: '/e',
      replica: 'file',
      destinations: [{ name: 'file', type: 'file', target: 'file:///backup-e' }],
    },
  ]);
  const { stdout: text } = await sluice(['databases', '-config', config]);
  expect(text).toBe(
    'path  replica  target\n/d    s3       s3://b/p\n/d    disk     file:///backup\n/e    file     file:///backup-e\n',
  );
});

test('the configuration is found by -config, then by variables, then at the default paths', async () => {
  const folder = temporaryFolder();
  const config = (name: string): string =>
    writeFile(folder, `${name}.yml`, `dbs: [{ path: /${name}, replica: { path: /b } }]`);
  const files = { flag: config('flag'), ours: config('ours'), theirs: config('theirs') };
  const places = [path.join(folder, 'not-there.yml'), config('place')];
  const find = async (words: string[], environment: Record<string, string>): Promise<string> => {
    const { stdout } = await sluice(['databases', '-json', ...words], environment, places);
    return (JSON.parse(stdout) as { path: string }[])[0]?.path ?? '';
  };
  const both = { SLUICE_CONFIG: files.ours, LITESTREAM_CONFIG: files.theirs };
  expect(await find(['-config', files.flag], both)).toBe('/flag');
  expect(await find([], both)).toBe('/ours');
  expect(await find([], { LITESTREAM_CONFIG: files.theirs })).toBe('/theirs');
  expect(await find([], { SLUICE_CONFIG: '' })).toBe('/place');
});

test('without a configuration, the searched paths are listed', async () => {
  const { code, stderr } = await sluice(['databases'], {}, ['/a.yml', '/b.yml']);
  expect(code).toBe(2);
  expect(stderr).toContain(
    'no configuration found at /a.yml, /b.yml; give its path with -config, or write one with "sluice init"',
  );
});

test('-no-expand-env keeps dollar signs', async () => {
  const config = writeFile(
    temporaryFolder(),
    's.yml',
    'dbs: [{ path: "/$X", replica: { path: /b } }]',
  );
  const words = ['databases', '-config', config, '-json'];
  expect((await sluice(words, { X: 'x' })).stdout).toContain('"path":"/x"');
  expect((await sluice([...words, '-no-expand-env'], { X: 'x' })).stdout).toContain('"path":"/$X"');
});

test.each([[['version']], [['-version']], [['--version']]])(
  '%j prints the version',
  async (words) => {
    const { code, stdout } = await sluice(words);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  },
);

test.each([[['help']], [['-h']], [['--help']], [['-help']]])(
  '%j lists the commands',
  async (words) => {
    const { code, stdout } = await sluice(words);
    expect(code).toBe(0);
    for (const name of ['replicate', 'restore', 'databases', 'ltx', 'status', 'version']) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  },
);

test('without a command, the list of commands goes to stderr', async () => {
  const { code, stdout, stderr } = await sluice([]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('usage: sluice COMMAND');
});

test('the help of a command can be requested in three ways', async () => {
  const { stdout } = await sluice(['restore', '-h']);
  expect(stdout).toContain('-timestamp TIME');
  expect((await sluice(['help', 'restore'])).stdout).toBe(stdout);
  expect((await sluice(['restore', '/d', '--help'])).stdout).toBe(stdout);
});

test('a flag before the command is refused with the right order', async () => {
  const { code, stderr } = await sluice(['-config', '/etc/s.yml', 'status']);
  expect(code).toBe(2);
  expect(stderr).toBe(
    'sluice: -config must follow the command: "sluice COMMAND -config"; see "sluice help"\n',
  );
});

test.each([
  [['replicat'], 'sluice replicat: unknown command'],
  [['help', 'replicat'], 'sluice help replicat: no such command, page or error code'],
])('the closest command is suggested for an unknown one: %j', async (words, what) => {
  const { code, stderr } = await sluice(words);
  expect([code, stderr]).toEqual([2, `${what}; did you mean replicate?\n`]);
});
