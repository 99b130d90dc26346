import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/read.ts';
import { SCHEMA_URL } from '../../src/config/schema-url.ts';
import { Secrets } from '../../src/secrets.ts';
import type { Environment } from '../../src/shell.ts';
import { destinationsOf } from '../support/configuration.ts';
import { damageBucket, expectedOf, goldenBucket } from '../support/golden.ts';
import {
  LITERAL_SECRETS,
  LITESTREAM_FILES,
  litestreamFile,
  VARIABLES,
} from '../support/litestream-files.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { sluice, type Outcome } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const newest = expectedOf().at(-1)?.txid;

/** A folder with this litestream.yml, in which `migrate` writes sluice.yml. */
class Migration {
  readonly folder = temporaryFolder();
  readonly source: string;
  readonly output = path.join(this.folder, 'sluice.yml');
  readonly secrets = path.join(this.folder, 'sluice-secrets');

  constructor(text: string) {
    this.source = writeFile(this.folder, 'litestream.yml', text);
  }

  async run(words: readonly string[], environment: Environment = {}): Promise<Outcome> {
    return await sluice(
      ['migrate', '-config', this.source, '-o', this.output, ...words],
      environment,
    );
  }

  get text(): string {
    return fs.readFileSync(this.output, 'utf8');
  }

  /** The files beside litestream.yml. */
  get made(): string[] {
    return fs.readdirSync(this.folder).filter((name) => name !== 'litestream.yml');
  }
}

async function destinationsIn(file: string, environment: Environment): Promise<string> {
  const options = { source: file, folder: path.dirname(file), secrets: new Secrets() };
  const text = fs.readFileSync(file, 'utf8');
  return destinationsOf(await readConfig(text, { ...options, environment, variables: 'expand' }));
}

function toFolder(...buckets: readonly string[]): string {
  const replicas = buckets.map((bucket) => `    - path: ${bucket}\n      retention: 72h\n`);
  return `dbs:\n- path: /data/app.db\n  replicas:\n${replicas.join('')}`;
}

test.each(LITESTREAM_FILES)('%s leads to the same destinations, without a note', async (name) => {
  const migration = new Migration(litestreamFile(name));
  const { code, stderr } = await migration.run(['-no-check'], VARIABLES);
  expect([code, stderr]).toEqual([0, '']);

  const before = await destinationsIn(migration.source, VARIABLES);
  expect(await destinationsIn(migration.output, VARIABLES)).toBe(before);
  const checked = await sluice(
    ['config', 'check', '-json', '-config', migration.output],
    VARIABLES,
  );
  expect(checked.code).toBe(0);
  expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, notes: [] });
  expect(migration.text.split('\n')[0]).toBe(`# yaml-language-server: $schema=${SCHEMA_URL}`);
});

test.each(LITESTREAM_FILES)('no secret of %s is copied in clear', async (name) => {
  const source = litestreamFile(name);
  const migration = new Migration(source);
  const { stdout, stderr } = await migration.run(['-no-check'], VARIABLES);
  for (const secret of [...LITERAL_SECRETS, String(VARIABLES['APP_SECRET_KEY'])]) {
    expect(migration.text + stdout + stderr).not.toContain(secret);
  }
  const moved = LITERAL_SECRETS.filter((secret) => source.includes(secret));
  const files = moved.length === 0 ? [] : fs.readdirSync(migration.secrets);
  const contents = files.map((each) => path.join(migration.secrets, each));
  expect(contents.map((file) => fs.readFileSync(file, 'utf8').trim())).toEqual(
    expect.arrayContaining(moved),
  );
  expect(files).toHaveLength(moved.length);
  for (const file of [migration.output, ...contents]) {
    expect(fs.statSync(file).mode & 0o777, file).toBe(0o600);
  }
  if (files.length > 0) expect(fs.statSync(migration.secrets).mode & 0o777).toBe(0o700);
});

test('it says what each key becomes', async () => {
  const migration = new Migration(litestreamFile('0.3-two-replicas.yml'));
  const { stdout } = await migration.run(['-no-check', '-json'], VARIABLES);
  const { keys } = JSON.parse(stdout) as { keys: { key: string }[] };
  expect(keys).toHaveLength(21); // every key of the file
  const of = (key: string): unknown => keys.find((row) => row.key === key);
  expect(of('addr')).toMatchObject({ becomes: 'addr', note: expect.stringContaining('0.0.0.0') });
  expect(of('dbs[0].replicas[0].retention-check-interval')).toEqual({
    key: 'dbs[0].replicas[0].retention-check-interval',
    becomes: null,
    note: 'Sluice looks for files to delete every 10 minutes, if files were written',
  });
  expect(of('dbs[0].replicas[0].retention')).toMatchObject({
    becomes: 'dbs[0].replicas[0].retention',
  });
  expect(of('dbs[0].replicas[1].path')).toEqual({
    key: 'dbs[0].replicas[1].path',
    becomes: 'dbs[0].replicas[1].path',
    note: '',
  });
  // The old values of keys that are left out remain in the comments.
  expect(migration.text).toContain('dbs[0].replicas[0].retention-check-interval (1h)');
});

test('variables, comments and order stay; comments that may hold a credential do not', async () => {
  const migration = new Migration(`# my databases
# old password: hunter22
dbs:
  - path: \${DATA_DIR}/app.db # the main one
    meta-path: $DATA_DIR/meta/
    replica: { url: "s3://my-bucket/$NAME?region=r", secret-access-key: $KEY, access-key-id: k }
`);
  const environment = { DATA_DIR: '/data', NAME: 'app', KEY: 'a-secret-key' };
  const { code, stderr } = await migration.run(['-no-check'], environment);
  expect([code, stderr]).toEqual([0, '']);
  const [, body] = migration.text.split('\n\n');
  expect(body).toBe(`# my databases
dbs:
  - path: \${DATA_DIR}/app.db # the main one
    meta-path: $DATA_DIR/meta-sluice
    replicas:
      - { url: "s3://my-bucket/$NAME?region=r", secret-access-key: $KEY, access-key-id: k }
`);
});

test('with -no-expand-env, a dollar sign in the new file is not a variable either', async () => {
  const migration = new Migration('dbs: [{ path: /data/$app.db, replica: { path: /backup/$a } }]');
  const { code } = await migration.run(['-no-check', '-no-expand-env'], { a: 'x', app: 'y' });
  expect(code).toBe(0);
  expect(parse(migration.text)).toEqual({
    dbs: [{ path: '/data/$$app.db', replicas: [{ path: '/backup/$$a' }] }],
  });
});

test('a secret that several databases share gets one file, and one in a query is found', async () => {
  const url = 's3://b/a?access-key-id=k&secretAccessKey=pa$$word&region=r';
  const keys = 'type: s3, bucket: b, access-key-id: k, secret-access-key: "pa$$word"';
  const migration = new Migration(`dbs:
- { path: /data/1.db, replica: { url: "${url}" } }
- { path: /data/2.db, replica: { ${keys}, path: b } }
`);
  const { code, stdout } = await migration.run(['-no-check', '-json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    secret_files: [path.join(migration.secrets, 'dbs-0-replicas-0-secret-access-key')],
  });
  const [file = ''] = (JSON.parse(stdout) as { secret_files: string[] }).secret_files;
  expect(fs.readFileSync(file, 'utf8')).toBe('pa$word\n');
  expect(migration.text).toContain('s3://b/a?access-key-id=k&region=r');
  expect(migration.text).not.toContain('word');
  expect(await destinationsIn(migration.output, {})).toBe(
    await destinationsIn(migration.source, {}),
  );
});

test('a password from a variable stays in its URL', async () => {
  const url = 'sftp://u:${PASSWORD}@h/x';
  const migration = new Migration(`dbs: [{ path: /data/a.db, replica: { url: "${url}" } }]`);
  const { code } = await migration.run(['-no-check'], { PASSWORD: 'a-secret' });
  expect(code).toBe(0);
  expect(migration.text).toContain(url);
  expect(migration.made).toEqual(['sluice.yml']);
});

test.each([
  ['sftp://u:pa55word@h:$PORT/x', 'has a variable in its host or port: write its parts as keys'],
  ['s3://AKIAKEY:pa55word@b/x', 'has no effect: remove it there, and if it is a key'],
  ['gs://u:pa55word@b/x', 'has no effect: remove it there'],
  ['sftp://u:pa55word@h/x?password=other', 'password cannot be moved out of the URL: remove it'],
])('%s is refused, because its password would be copied', async (url, message) => {
  const migration = new Migration(`dbs: [{ path: /data/a.db, replica: { url: "${url}" } }]`);
  const { code, stderr } = await migration.run(['-no-check'], { PORT: '22' });
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(migration.made).toEqual([]);
});

test('the newest state of each destination is shown, and nothing is downloaded', async () => {
  const migration = new Migration(toFolder(goldenBucket(), goldenBucket('frame-4k')));
  const { code, stdout, stderr } = await migration.run([]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`TXID ${newest}, written at ${expectedOf().at(-1)?.at.slice(0, 10)}`);
  expect(stdout).not.toContain('restored and checked');
  expect(stdout).toContain(`${migration.output} was written.`);
});

test('with -restore-check each backup is restored and checked, and nothing of that remains', async () => {
  const migration = new Migration(toFolder(goldenBucket()));
  const scratch = temporaryFolder();
  vi.stubEnv('TMPDIR', scratch);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { code, stdout } = await migration.run(['-restore-check', '-json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    written: true,
    destinations: [{ ok: true, txid: newest, restored_ms: expect.any(Number) }],
  });
  expect(fs.readdirSync(scratch)).toEqual([]);
});

test('a backup of Litestream 0.3 is shown, and restored and checked', async () => {
  const migration = new Migration(toFolder(goldenBucket('v03-4k')));
  const generation = '372397bae1f78807';
  const shown = await migration.run(['-dry-run']);
  expect(shown.stdout).toContain(`generation ${generation} of Litestream 0.3, written at 20`);
  const { code, stdout } = await migration.run(['-restore-check', '-json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    destinations: [{ ok: true, generation, files: 26, restored_ms: expect.any(Number) }],
  });
});

test('a damaged backup is found by -restore-check, and no file is written', async () => {
  const damaged = goldenBucket();
  for (const { txid } of expectedOf()) damageBucket(damaged, txid);
  const migration = new Migration(toFolder(goldenBucket(), damaged));
  const { code, stdout, stderr } = await migration.run(['-restore-check', '-json']);
  expect(code).toBe(5);
  expect(stderr).toContain('is not written, because 1 of 2 destinations failed the check:');
  expect(stderr).toContain('\n  file-2: ');
  expect(JSON.parse(stdout)).toMatchObject({
    written: false,
    destinations: [{ ok: true }, { ok: false, name: 'file-2' }],
  });
  expect(migration.made).toEqual([]);
});

test('a destination without a backup ends the migration, unless it is not checked', async () => {
  const empty = temporaryFolder();
  const migration = new Migration(toFolder(goldenBucket(), empty));
  const { code, stdout, stderr } = await migration.run([]);
  expect(code).toBe(4);
  expect(stdout).toContain('cannot be restored (RESTORE_NO_SNAPSHOT)');
  expect(stderr).toContain(`look for a backup at file://${empty}: it is empty. Correct the path`);
  expect(migration.made).toEqual([]);
  expect((await migration.run(['-no-check'])).code).toBe(0);
});

test('a destination that cannot be reached ends the migration, and the others are still shown', async () => {
  const bucket = goldenBucket();
  const keys = `access-key-id: k, secret-access-key: a-secret-key, endpoint: "${await closedEndpoint()}"`;
  const migration = new Migration(
    `dbs: [{ path: /data/a.db, replicas: [{ url: "s3://b/a", ${keys} }, { path: ${bucket} }] }]`,
  );
  const { code, stdout, stderr } = await migration.run([]);
  expect(code).toBe(7);
  expect(stdout).toContain('cannot be restored (REPLICA_UNAVAILABLE)');
  expect(stdout).toContain(`file://${bucket}  TXID ${newest}`);
  expect(stderr).toContain('because 1 of 2 destinations failed the check:\n  s3: ');
  expect(migration.made).toEqual([]);
});

test('-dry-run prints the file and writes nothing', async () => {
  const secret = 'access-key-id: k\nsecret-access-key: a-secret-key\n';
  const migration = new Migration(secret + toFolder(goldenBucket()));
  const { code, stdout } = await migration.run(['-dry-run']);
  expect(code).toBe(0);
  expect(stdout).toContain(
    `secret-access-key-file: ${migration.secrets}/secret-access-key\ndbs:\n`,
  );
  expect(stdout).not.toContain('a-secret-key');
  expect(migration.made).toEqual([]);
  const asJSON = await migration.run(['-dry-run', '-json']);
  expect(JSON.parse(asJSON.stdout)).toMatchObject({
    written: false,
    text: expect.stringContaining('\ndbs:\n'),
  });
});

test('a file that exists is replaced only with -force', async () => {
  const migration = new Migration(toFolder('/backup/app'));
  writeFile(migration.folder, 'sluice.yml', 'mine\n');
  const { code, stderr } = await migration.run(['-no-check']);
  expect(code).toBe(8);
  expect(stderr).toContain(
    `write ${migration.output}: it exists already; choose another file (-o)`,
  );
  expect(migration.text).toBe('mine\n');
  expect((await migration.run(['-no-check', '-force'])).code).toBe(0);
  expect(migration.text).toContain('path: /backup/app');
  expect(migration.made).toEqual(['sluice.yml']);
});

test('if a file of a secret exists, nothing is written', async () => {
  const migration = new Migration(`secret-access-key: a-secret-key\n${toFolder('/backup/app')}`);
  const file = writeFile(migration.secrets, 'secret-access-key', 'mine');
  const { code, stderr } = await migration.run(['-no-check']);
  expect(code).toBe(8);
  expect(stderr).toContain(`write ${file}: it exists already`);
  expect(fs.readFileSync(file, 'utf8')).toBe('mine');
  expect(migration.made).toEqual(['sluice-secrets']);
});

test.each([
  ['age: { recipients: [age1x] }', 'replicas[0].age.recipients: "age1x" is not an age recipient'],
  ['nkey: x', 'nkey: is a key of nats, not of file; remove it'],
  ['retenton: 72h', 'retenton is not a key'],
])('%s is refused, and nothing is written', async (key, message) => {
  const migration = new Migration(
    `dbs: [{ path: /data/a.db, replicas: [{ path: /b, password: a-secret, ${key} }] }]`,
  );
  const { code, stderr } = await migration.run(['-no-check']);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(migration.made).toEqual([]);
});

test.each([
  [['-o', 'FILE'], 'is the file to read; choose another one with -o'],
  [['FILE'], 'write "sluice migrate -config '],
  [['-no-check', '-restore-check'], '-no-check and -restore-check cannot be used together'],
])('%j is refused', async (words, message) => {
  const migration = new Migration(toFolder('/backup/app'));
  const given = words.map((word) => word.replace('FILE', migration.source));
  const { code, stderr } = await migration.run(given);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(migration.made).toEqual([]);
});

test('without -config it reads the file of LITESTREAM_CONFIG, or one of the default paths', async () => {
  const { source, output } = new Migration(toFolder('/backup/app'));
  const words = ['migrate', '-no-check', '-dry-run', '-o', output];
  const byVariable = await sluice(words, { LITESTREAM_CONFIG: source });
  expect(byVariable.stdout).toContain(`# Made by "sluice migrate" from ${source}.`);
  const byPath = await sluice(words, {}, ['/nowhere/sluice.yml', source]);
  expect(byPath.stdout).toContain(`# Made by "sluice migrate" from ${source}.`);
  const none = await sluice(words, {}, ['/nowhere/litestream.yml']);
  expect(none.code).toBe(2);
  expect(none.stderr).toContain(
    'no configuration of Litestream found at ./litestream.yml, /nowhere/litestream.yml; give its path with -config',
  );
});
