/** An encrypted destination with the command line tool: a host without identities, readers, and new keys. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { KEYS, OTHER_KEYS, identityFile } from '../support/age.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** In each row. Page compression cannot hide it: it is unlike the rest of its page. */
const CANARY = 'a-canary-that-must-not-be-there';

class Scene {
  readonly folder = temporaryFolder();
  readonly database = path.join(this.folder, 'app.db');
  readonly backup = path.join(this.folder, 'backup');
  readonly identity = writeFile(this.folder, 'key.txt', identityFile(KEYS));
  readonly #application = new Database(this.database);

  constructor() {
    onTestFinished(() => void this.#application.close());
    this.#application.pragma('journal_mode = WAL');
    this.#application.exec('CREATE TABLE rows (x)');
    this.addRow();
  }

  addRow(): void {
    this.#application.prepare('INSERT INTO rows VALUES (?)').run(CANARY);
  }

  /** A configuration of its own, with more keys of encryption. */
  config(more = '', recipients: readonly string[] = [KEYS.recipient]): string {
    const encryption = `{ recipients: [${recipients.join(', ')}]${more} }`;
    const replicas = `[{ path: ${this.backup}, encryption: ${encryption} }]`;
    const name = `sluice-${fs.readdirSync(this.folder).length}.yml`;
    return writeFile(
      this.folder,
      name,
      `dbs: [{ path: ${this.database}, replicas: ${replicas} }]\n`,
    );
  }

  /** The files below the destination, with their contents and times. */
  stored(): Map<string, { text: string; writtenMs: number }> {
    const names = fs.readdirSync(this.backup, { recursive: true, encoding: 'utf8' });
    // Each run writes its own sluice-owner.json.
    const files = names.filter(
      (name) =>
        path.basename(name) !== 'sluice-owner.json' &&
        fs.statSync(path.join(this.backup, name)).isFile(),
    );
    return new Map(
      files.map((name) => {
        const file = path.join(this.backup, name);
        const text = fs.readFileSync(file, 'latin1');
        return [name, { text, writtenMs: fs.statSync(file).ctimeMs }];
      }),
    );
  }

  /** Restores to a new file. Returns it if it is the database, byte for byte. */
  async restored(words: readonly string[], environment = {}): Promise<string> {
    const output = path.join(temporaryFolder(), 'restored.db');
    const { code, stderr } = await sluice(['restore', '-o', output, ...words], environment);
    if (code !== 0) return `exit code ${code}: ${stderr}`;
    this.#application.pragma('wal_checkpoint(TRUNCATE)');
    const isSame = fs.readFileSync(output).equals(fs.readFileSync(this.database));
    return isSame ? 'the database' : 'another file';
  }
}

async function once(config: string): Promise<void> {
  const { code, stderr } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code, stderr).toBe(0);
}

test('a host without an identity replicates, starts again and compares, but reads nothing', async () => {
  const scene = new Scene();
  const config = scene.config(', identity-file: /no/such/key.txt');
  await once(config);
  scene.addRow();
  await once(config);
  const before = scene.stored();
  expect(before.size).toBeGreaterThan(2);
  // The same files before encryption have it.
  const staged = path.join(scene.folder, '.app.db-sluice', 'ltx', '0');
  const [newest = ''] = fs.readdirSync(staged);
  expect(fs.readFileSync(path.join(staged, newest), 'latin1')).toContain(CANARY);
  for (const [name, { text }] of before) {
    expect(text, name).not.toContain(CANARY);
    if (name.endsWith('.ltx')) expect(text, name).toMatch(/^age-encryption\.org\/v1\n/);
  }
  await once(config);
  expect(scene.stored()).toEqual(before);

  expect((await sluice(['status', '-config', config])).code).toBe(0);
  expect((await sluice(['ltx', '-config', config, scene.database])).code).toBe(0);
  const noIdentity = /no identity.*REPLICA_NO_IDENTITY/s;
  for (const words of [['restore', '-o', path.join(scene.folder, 'x.db')], ['history']]) {
    const { code, stderr } = await sluice([...words, '-config', config, scene.database]);
    expect([code, stderr]).toEqual([6, expect.stringMatching(noIdentity)]);
  }
  const drill = await sluice(['drill', '-config', config, scene.database]);
  expect([drill.code, drill.stdout]).toEqual([13, expect.stringMatching(noIdentity)]);
  expect(drill.stdout).toContain(': inconclusive');
});

test('an identity-command that never ends does not keep a restore that was stopped', async () => {
  const scene = new Scene();
  await once(scene.config());
  const asked = path.join(scene.folder, 'asked');
  // It is asked after the end of its input, and ignores SIGTERM.
  const script = `#!/bin/sh\ntrap '' TERM\ncat\necho $$ > ${asked}.new\nmv ${asked}.new ${asked}\nexec sleep 1000\n`;
  const command = writeFile(scene.folder, 'ask.sh', script);
  fs.chmodSync(command, 0o700);
  const config = scene.config(`, identity-command: ${command}`);
  const output = path.join(scene.folder, 'x.db');
  const restoring = new CLIProcess(['restore', '-config', config, '-o', output, scene.database]);
  await vi.waitFor(() => expect(fs.existsSync(asked)).toBe(true), 60_000);
  restoring.kill('SIGTERM');
  expect((await restoring.ended()).code).toBe(128 + 15);
  const pid = Number(fs.readFileSync(asked, 'utf8'));
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000);
  expect(fs.existsSync(output)).toBe(false);
});

test('identities come from a file, a command or the environment', async () => {
  const scene = new Scene();
  await once(scene.config());
  const { database, identity, backup } = scene;
  const from = (more: string): string[] => ['-config', scene.config(more), database];
  expect(await scene.restored(from(`, identity-file: ${identity}`))).toBe('the database');
  expect(await scene.restored(from(`, identity-command: "cat ${identity}"`))).toBe('the database');
  const url = [`file://${backup}`];
  const both = `${OTHER_KEYS.identity}\n${KEYS.identity}`;
  expect(await scene.restored(url, { SLUICE_AGE_IDENTITY: both })).toBe('the database');
  expect(await scene.restored(url, { SLUICE_AGE_IDENTITY_FILE: identity })).toBe('the database');
  expect(await scene.restored(from(''), { SLUICE_AGE_IDENTITY: KEYS.identity })).toBe(
    'the database',
  );

  const { identity: wrong } = OTHER_KEYS;
  expect(await scene.restored(url, { SLUICE_AGE_IDENTITY: wrong })).toMatch(
    /code 6: .*no identity fits/s,
  );
  expect(await scene.restored(url)).toMatch(/code 6: .*no identity.*encrypted with age/s);
  const failing = await scene.restored(from(', identity-command: "false"'));
  expect(failing).toMatch(/code 6: .*run identity-command \(false\)/s);

  const resumed = from(`, identity-file: ${identity}`);
  expect(await scene.restored(['-resume', ...resumed])).toBe('the database');

  const drilled = await sluice(['drill', ...from(`, identity-file: ${identity}`)]);
  expect([drilled.code, drilled.stdout]).toEqual([0, expect.stringMatching(/all \d+ pages equal/)]);
});

test('one process writes, and another restores', async () => {
  const scene = new Scene();
  await once(scene.config());
  const output = path.join(scene.folder, 'restored.db');
  const { code, stdout } = await runProcess(['restore', '-o', output, `file://${scene.backup}`], {
    SLUICE_AGE_IDENTITY_FILE: scene.identity,
  });
  expect([code, stdout]).toEqual([0, expect.stringContaining('restored')]);
  expect(fs.readFileSync(output, 'latin1')).toContain(CANARY);
});

test('without encryption, encrypted files are not taken for damaged ones', async () => {
  const scene = new Scene();
  await once(scene.config());
  scene.addRow();
  await once(scene.config());
  // The newest file is plain, and the full snapshot before it is encrypted.
  const name = 'ltx/0/0000000000000002-0000000000000002.ltx';
  const meta = path.join(scene.folder, '.app.db-sluice');
  fs.copyFileSync(path.join(meta, name), path.join(scene.backup, name));
  fs.rmSync(path.join(meta, 'destinations.json')); // the staged file proves that it is ours
  const before = scene.stored();
  const plain = writeFile(
    scene.folder,
    'plain.yml',
    `shutdown-sync-timeout: 0s\ndbs: [{ path: ${scene.database}, replica: { path: ${scene.backup} } }]\n`,
  );
  scene.addRow();
  const { code, stdout } = await runProcess(['replicate', '-once', '-config', plain]);
  expect([code, stdout]).toEqual([3, expect.stringMatching(/REPLICA_NO_IDENTITY/)]);
  expect(scene.stored()).toEqual(before);
});

test('a flipped byte fails the drill of an encrypted destination, and names the file', async () => {
  const scene = new Scene();
  await once(scene.config());
  for (const [name, { text }] of scene.stored()) {
    if (!name.endsWith('.ltx')) continue;
    const bytes = Buffer.from(text, 'latin1');
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
    fs.writeFileSync(path.join(scene.backup, name), bytes);
  }
  const config = scene.config(`, identity-file: ${scene.identity}`);
  const { code, stdout } = await sluice(['drill', '-config', config, scene.database]);
  expect([code, stdout]).toEqual([12, expect.stringMatching(/age file is damaged or cut short/)]);
  expect(await scene.restored(['-config', config, scene.database])).toMatch(/code 5: .*damaged/s);
});

test('rekey encrypts for new recipients, and the next start sends nothing again', async () => {
  const scene = new Scene();
  await once(scene.config());
  const { database, identity } = scene;
  const next = scene.config(`, identity-file: ${identity}`, [OTHER_KEYS.recipient]);
  const rekeyed = await sluice(['rekey', '-config', next, database]);
  expect(rekeyed.stderr).toBe('');
  expect([rekeyed.code, rekeyed.stdout]).toEqual([
    0,
    expect.stringMatching(/2 files, .*, are encrypted for 1 recipient\n$/),
  ]);
  const url = [`file://${scene.backup}`];
  expect(await scene.restored(url, { SLUICE_AGE_IDENTITY: OTHER_KEYS.identity })).toBe(
    'the database',
  );
  expect(await scene.restored(url, { SLUICE_AGE_IDENTITY: KEYS.identity })).toMatch(/code 6/);
  const before = scene.stored();
  await once(scene.config('', [OTHER_KEYS.recipient]));
  expect(scene.stored()).toEqual(before);
});

test('decrypt makes a copy that needs no identity', async () => {
  const scene = new Scene();
  await once(scene.config());
  const copy = path.join(scene.folder, 'plain');
  const words = ['decrypt', '-to', `file://${copy}`, `file://${scene.backup}`];
  const environment = { SLUICE_AGE_IDENTITY: KEYS.identity };
  const { code, stdout } = await sluice(words, environment);
  expect([code, stdout]).toEqual([0, expect.stringContaining('2 files written')]);
  expect(await scene.restored([`file://${copy}`])).toBe('the database');
  expect((await sluice(words, environment)).stdout).toContain(
    '0 files written; 2 were there before',
  );
});

test.each([
  [['rekey', 'URL'], /name a database/],
  [['rekey', '-config', 'PLAIN', 'DB'], /no destination of the database has encryption/],
  [['decrypt', 'URL'], /-to URL/],
  [['decrypt', '-to', 'URL', 'URL'], /-to is the backup itself/],
  [['decrypt', '-to', 'file:///tmp/x', '-config', 'PLAIN2', 'DB'], /has encryption/],
])('%j is refused', async (words, message) => {
  const folder = temporaryFolder();
  const replicas = (count: number): string =>
    Array.from({ length: count }, (_, index) => `{ path: ${folder}/${index} }`).join(', ');
  const values: Readonly<Record<string, string>> = {
    URL: `file://${folder}/backup`,
    DB: `${folder}/app.db`,
    PLAIN: writeFile(
      folder,
      'a.yml',
      `dbs: [{ path: ${folder}/app.db, replicas: [${replicas(1)}] }]`,
    ),
    PLAIN2: writeFile(
      folder,
      'b.yml',
      `dbs: [{ path: ${folder}/app.db, replicas: [${replicas(2)}] }]`,
    ),
  };
  const { code, stderr } = await sluice(words.map((word) => values[word] ?? word));
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});
