import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { cutBucket, damageBucket, expectedOf, goldenBucket, sha256 } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const ISO = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const all = expectedOf();
const latest = all.at(-1);

function configOf(database: string, replicas: readonly string[]): string {
  const lines = replicas.map((replica) => `  - ${replica}`).join('\n');
  return writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:\n- path: ${database}\n  replicas:\n${lines}\n`,
  );
}

test('the latest state is restored from a URL, byte for byte, and the source is printed', async () => {
  const bucket = goldenBucket();
  const output = path.join(temporaryFolder(), 'new', 'app.db');
  const { code, stdout } = await sluice(['restore', '-o', output, `file://${bucket}`]);
  expect(code).toBe(0);
  expect(sha256(output)).toBe(latest?.file_sha256);
  expect(stdout).toContain(`restored ${output} from file (file://${bucket}): TXID ${latest?.txid}`);
});

test('a configured database is restored to its own path', async () => {
  const database = path.join(temporaryFolder(), 'app.db');
  const config = configOf(database, [`{ path: ${goldenBucket()} }`]);
  const { code } = await sluice(['restore', database, '-config', config, '-integrity-check=full']);
  expect(code).toBe(0);
  expect(sha256(database)).toBe(latest?.file_sha256);
});

test.each([all[3], all[10]])('-txid $txid restores that state', async (expected) => {
  const output = path.join(temporaryFolder(), 'app.db');
  const words = [
    'restore',
    '--o',
    output,
    '--txid',
    expected?.txid ?? '',
    `file://${goldenBucket()}`,
  ];
  expect((await sluice(words)).code).toBe(0);
  expect(sha256(output)).toBe(expected?.file_sha256);
});

test('the destination with the newest state is used', async () => {
  const behind = goldenBucket();
  cutBucket(behind, '0000000000000012');
  const output = path.join(temporaryFolder(), 'app.db');
  const replicas = [`{ path: ${behind}, name: near }`, `{ path: ${goldenBucket()}, name: far }`];
  const config = configOf('/data/app.db', replicas);
  const { stdout } = await sluice(['restore', '-config', config, '-o', output, '/data/app.db']);
  expect(stdout).toContain('from far (');
  expect(sha256(output)).toBe(latest?.file_sha256);
});

test('-replica chooses a destination, even if it is behind', async () => {
  const behind = goldenBucket();
  cutBucket(behind, '0000000000000012');
  const output = path.join(temporaryFolder(), 'app.db');
  const replicas = [`{ path: ${behind}, name: near }`, `{ path: ${goldenBucket()}, name: far }`];
  const config = configOf('/data/app.db', replicas);
  const words = ['restore', '-config', config, '-o', output, '/data/app.db', '-replica'];
  expect((await sluice([...words, 'near', '-json'])).stdout).toContain('"txid":"0000000000000012"');
  const unknown = await sluice([...words, 'nobody']);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('there is no destination nobody; the database has near, far');
});

test('if a destination is damaged, a warning is printed and the next one is used', async () => {
  const damaged = goldenBucket();
  damageBucket(damaged, latest?.txid ?? '');
  const behind = goldenBucket();
  cutBucket(behind, '0000000000000018');
  const output = path.join(temporaryFolder(), 'app.db');
  const replicas = [`{ path: ${damaged}, name: damaged }`, `{ path: ${behind}, name: whole }`];
  const config = configOf('/data/app.db', replicas);
  const { code, stdout, stderr } = await sluice([
    'restore',
    '-config',
    config,
    '-o',
    output,
    '/data/app.db',
  ]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/level=WARN msg="restore from damaged: .*" code=LTX_/);
  expect(stderr).toMatch(
    /an older state was restored: damaged has TXID 0000000000000019, written at/,
  );
  expect(stdout).toContain('from whole (');
  expect(sha256(output)).toBe(all.find(({ txid }) => txid === '0000000000000018')?.file_sha256);
  expect(fs.readdirSync(path.dirname(output))).toEqual(['app.db']);
});

test('"no backup" is not reported while a destination is unreachable', async () => {
  const endpoint = await closedEndpoint();
  const s3 = `{ type: s3, bucket: b, path: p, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }`;
  const empty = temporaryFolder();
  const config = configOf('/data/app.db', [`{ path: ${empty} }`, s3]);
  const output = path.join(temporaryFolder(), 'app.db');
  const words = ['restore', '-config', config, '-o', output, '-if-replica-exists', '/data/app.db'];
  expect((await sluice(words)).code).toBe(7);
});

test('an existing database is not replaced, which is checked before any request', async () => {
  const output = writeFile(temporaryFolder(), 'app.db', 'mine');
  const words = ['restore', '-o', output, 'file:///nowhere/at/all'];
  const { code, stderr } = await sluice(words);
  expect(code).toBe(8);
  expect(stderr).toContain('it already exists; choose another path (-o), or replace it (-force)');
  expect(fs.readFileSync(output, 'utf8')).toBe('mine');
});

test.each([
  ['-force replaces the database with its -wal, -shm and -journal, and keeps the old file', []],
  ['-force -no-keep keeps nothing', ['-no-keep']],
])('%s', async (_, flags) => {
  const folder = temporaryFolder();
  const output = writeFile(folder, 'app.db', 'mine');
  for (const side of ['-wal', '-shm', '-journal']) writeFile(folder, `app.db${side}`, 'old');
  const words = ['restore', '-force', ...flags, '-o', output, `file://${goldenBucket()}`];
  const { code, stdout } = await sluice([...words, '-json']);
  expect(code).toBe(0);
  expect(sha256(output)).toBe(latest?.file_sha256);
  const { kept } = JSON.parse(stdout) as { kept?: string };
  const names = fs.readdirSync(folder).sort();
  if (flags.length > 0) {
    expect([kept, names]).toEqual([undefined, ['app.db']]);
    return;
  }
  expect(kept).toMatch(/\/app\.db\.before-\d{8}T\d{6}Z$/);
  expect(names).toEqual(['app.db', path.basename(kept ?? '')]);
  expect(fs.readFileSync(kept ?? '', 'utf8')).toBe('mine');
  expect((await sluice(words)).stdout).toMatch(
    /\nthe file that it replaced is now \S+\/app\.db\.before-\S+; delete it when it is no longer needed\n/,
  );
});

test('-force names the WAL of a database that is open', async () => {
  const output = path.join(temporaryFolder(), 'app.db');
  const application = new Database(output);
  onTestFinished(() => void application.close());
  application.exec('PRAGMA journal_mode = wal; CREATE TABLE t(a)');
  const words = ['restore', '-force', '-o', output, `file://${goldenBucket()}`];
  expect((await sluice(words)).stdout).toMatch(
    /\na process had it open: \S+\.before-\w+-wal belongs to it; stop the process before you open or move them\n/,
  );
});

test('an empty file is not a database and is replaced', async () => {
  const output = writeFile(temporaryFolder(), 'app.db', '');
  expect((await sluice(['restore', '-o', output, `file://${goldenBucket()}`])).code).toBe(0);
});

test('-if-db-not-exists exits 0 without a request if the database exists', async () => {
  const output = writeFile(temporaryFolder(), 'app.db', 'mine');
  const words = ['restore', '-if-db-not-exists', '-o', output, 'file:///nowhere/at/all'];
  const outcome = await sluice([...words, '-json']);
  expect(outcome).toEqual({
    code: 0,
    stdout: `{"db_path":"${output}","skipped":"exists"}\n`,
    stderr: '',
  });
});

test('-if-replica-exists exits 0 if there is no backup, and lists the destinations', async () => {
  const folder = temporaryFolder();
  const output = path.join(folder, 'app.db');
  const words = ['restore', '-if-replica-exists', '-o', output, `file://${folder}`];
  const { code, stdout } = await sluice(words);
  expect([code, stdout]).toEqual([
    0,
    `there is no backup: there are no LTX files at file (file://${folder}); nothing to do\n`,
  ]);
  expect(JSON.parse((await sluice([...words, '-json'])).stdout)).toEqual({
    skipped: 'no backup',
    looked_at: [`file://${folder}`],
  });
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('-if-replica-exists fails for files without a snapshot', async () => {
  const bucket = goldenBucket();
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    if (/0{15}1-\w+\.ltx$/.test(name)) fs.rmSync(path.join(bucket, name));
  }
  const output = path.join(temporaryFolder(), 'app.db');
  const words = ['restore', '-if-replica-exists', '-o', output, `file://${bucket}`];
  expect((await sluice(words)).code).toBe(5);
});

test('a missing folder has no backup in a first deployment', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'data', 'app.db');
  const config = configOf(database, [
    `{ path: ${temporaryFolder()}, name: empty }`,
    `{ path: ${folder}/yet, name: yet }`,
  ]);
  const words = ['restore', '-config', config, '-if-db-not-exists', '-if-replica-exists', database];
  const { code, stdout, stderr } = await sluice(words);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^there is no backup: there are no LTX files at .*yet \(file:.*\/yet\)/);
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('a folder without its parent may be on an unmounted disk', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const config = configOf(database, [`{ path: ${folder}/disk/backup }`]);
  const words = ['restore', '-config', config, '-if-replica-exists', database];
  const { code, stderr } = await sluice(words);
  expect(code).toBe(7);
  expect(stderr).toMatch(
    /the folder does not exist, and neither does its parent: check the path, mount the disk of .*, or create the parent if/,
  );
});

test('a missing folder that was written to before is an error', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const target = `file://${folder}/backup`;
  fs.mkdirSync(path.join(folder, '.app.db-sluice'));
  const record = { [target]: { txid: '0000000000000007', sizeBytes: 1, checksum: 'a' } };
  writeFile(path.join(folder, '.app.db-sluice'), 'destinations.json', JSON.stringify(record));
  const config = configOf(database, [`{ path: ${folder}/backup }`]);
  for (const words of [
    ['-config', config, database],
    ['-o', database, target],
  ]) {
    const { code, stderr } = await sluice(['restore', '-if-replica-exists', ...words]);
    expect(code).toBe(7);
    expect(stderr).toMatch(
      /it is empty, but according to the staging folder TXID 0000000000000007 was sent there/,
    );
  }
});

test('-dry-run lists the files to read, with Litestream’s keys, and writes nothing', async () => {
  const output = writeFile(temporaryFolder(), 'app.db', 'mine');
  const bucket = goldenBucket();
  const words = ['restore', '-dry-run', '-o', output, `file://${bucket}`];
  const plan = JSON.parse((await sluice([...words, '-json'])).stdout) as Record<string, unknown>;
  expect(plan).toEqual({
    source: `file://${bucket}`,
    target_path: output,
    replica: 'file',
    min_txid: '0000000000000001',
    max_txid: latest?.txid,
    files: expect.arrayContaining([
      {
        level: expect.any(Number) as number,
        name: expect.stringMatching(/^[0-9a-f]{16}-0{14}19\.ltx$/) as string,
        min_txid: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        max_txid: latest?.txid,
        size: expect.any(Number) as number,
        timestamp: expect.stringMatching(ISO) as string,
      },
    ]) as unknown[],
  });
  expect((await sluice(words)).stdout).toContain(`would restore ${output} from file (`);
  expect(fs.readFileSync(output, 'utf8')).toBe('mine');
});

test('-json prints the result with Litestream’s keys and some additional ones', async () => {
  const output = path.join(temporaryFolder(), 'app.db');
  const bucket = goldenBucket();
  const { stdout } = await sluice(['restore', '-json', '-o', output, `file://${bucket}`]);
  expect(JSON.parse(stdout)).toEqual({
    avoided: [],
    db_path: output,
    replica: 'file',
    txid: latest?.txid,
    duration_ms: expect.any(Number) as number,
    integrity_check: 'none',
    target: `file://${bucket}`,
    timestamp: expect.stringMatching(ISO) as string,
    files_read: expect.any(Number) as number,
    bytes_read: expect.any(Number) as number,
    sources: [
      {
        replica: 'file',
        target: `file://${bucket}`,
        files: expect.any(Number) as number,
        bytes: expect.any(Number) as number,
      },
    ],
  });
});

test.each([
  [['restore'], /name a database of the configuration, or a URL/],
  [['restore', 'file:///a'], /with a URL, use -o to name the output/],
  [
    ['restore', '-o', 'x', 'file:///a', 'file:///b'],
    /give one database or URL, without file:\/\/\/b/,
  ],
  [['restore', '-o', 'x', '-config', 'c', 'file:///a'], /-config needs a database/],
  [['restore', '-o', 'x', 'ftp://a/b'], /unknown type ftp/],
  [
    ['restore', '-o', 'x', 'file://a/b'],
    /^sluice: file:\/\/a\/b has a host \(a\): write file:\/\/\/a\/b/,
  ],
])('%j is a mistake, and says which', async (words, message) => {
  const { code, stderr } = await sluice(words);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
