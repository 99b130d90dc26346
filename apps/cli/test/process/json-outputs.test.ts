/** Every command prints JSON as its published schema says: each one is run beside a replicator. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { JSON_COMMANDS, parseOutput, validatorOf } from '../docs/json-schemas.ts';
import { identityFile, KEYS } from '../support/age.ts';
import { addRows } from '../support/database.ts';
import { oldBucket } from '../support/old-bucket.ts';
import { CLIProcess, RUNTIME_FOLDER, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const FIRST = '0000000000000001-0000000000000001.ltx';

/** The commands that have run in this file. */
const seen = new Set<string>();

class Scene {
  readonly folder = temporaryFolder();
  readonly app = this.at('app.db');
  /** Its destination is encrypted. */
  readonly sealed = this.at('sealed.db');
  readonly near = this.at('near');
  readonly config: string;

  constructor() {
    addRows(this.app, 3);
    addRows(this.sealed, 3);
    const key = writeFile(this.folder, 'key.txt', identityFile(KEYS));
    const encryption = `{ recipients: [${KEYS.recipient}], identity-file: ${key} }`;
    const replicas = `[{ name: near, path: ${this.near} }, { name: far, path: ${this.at('far')} }]`;
    const replica = `{ name: vault, path: ${this.at('vault')}, encryption: ${encryption} }`;
    this.config = writeFile(
      this.folder,
      'sluice.yml',
      [
        'levels: []', // no merged file replaces one that a test removes
        'drill: { every: 24h }',
        'dbs:',
        `  - { path: ${this.app}, replicas: ${replicas} }`,
        `  - { path: ${this.sealed}, replica: ${replica} }`,
        '',
      ].join('\n'),
    );
  }

  at(name: string): string {
    return path.join(this.folder, name);
  }

  url(name: string): string {
    return `file://${this.at(name)}`;
  }

  /** Every destination has the first state, and its full snapshot: later commits are in files of their own. */
  async start(): Promise<CLIProcess> {
    const replicator = new CLIProcess(['replicate', '-config', this.config]);
    const files = ['near', 'far', 'vault'].flatMap((name) =>
      ['0', '9'].map((level) => path.join(this.at(name), 'ltx', level, FIRST)),
    );
    await expect.poll(() => files.filter((file) => !fs.existsSync(file))).toEqual([]);
    return replicator;
  }

  /** Runs a command of the configuration with -json, and checks what it prints. */
  async run(...words: readonly string[]): Promise<unknown> {
    return await this.runAlone(...words, '-config', this.config);
  }

  async runAlone(...words: readonly string[]): Promise<unknown> {
    const [command = ''] = words;
    const json = command === 'diagnose' ? [] : ['-json'];
    const { stdout, stderr } = await sluice([...words, ...json], {
      XDG_RUNTIME_DIR: RUNTIME_FOLDER,
    });
    expect(stdout, `${words.join(' ')}: ${stderr}`).not.toBe('');
    seen.add(command);
    return parseOutput(command, stdout);
  }
}

async function end(replicator: CLIProcess): Promise<void> {
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(0);
}

test('commands that need no replicator', async () => {
  const scene = new Scene();
  await scene.run('config', 'check');
  const wrong = writeFile(scene.folder, 'wrong.yml', 'dbs: [{ path: /d, replica: { pth: /b } }]\n');
  expect(await scene.runAlone('config', 'check', '-config', wrong)).toMatchObject({ ok: false });
  await scene.run('databases');
  fs.mkdirSync(scene.at('new'));
  await scene.runAlone('init', '-o', scene.at('new/sluice.yml'), scene.app, scene.url('new'));
  await scene.runAlone('version');
  await scene.runAlone('version', '-verbose');
  const old = oldBucket();
  const litestream = writeFile(
    scene.folder,
    'litestream.yml',
    `dbs: [{ path: ${scene.app}, replicas: [{ path: ${old}, validation-interval: 1h }] }]\n`,
  );
  const migrate = ['migrate', '-config', litestream, '-o', scene.at('migrated.yml')];
  expect(await scene.runAlone(...migrate, '-dry-run')).toMatchObject({ written: false });
  expect(await scene.runAlone(...migrate)).toMatchObject({ written: true });
  await scene.runAlone('generations', `file://${old}`);
  await scene.runAlone('history', '-limit', '2', `file://${old}`);
  await scene.runAlone('restore', '-dry-run', '-o', scene.at('old.db'), `file://${old}`);
  await scene.runAlone('restore', '-o', scene.at('old.db'), `file://${old}`);
  await scene.runAlone('drill', `file://${old}`);
  const skipped = ['restore', '-if-replica-exists', '-o', scene.at('x.db'), scene.url('nothing')];
  expect(await scene.runAlone(...skipped)).toMatchObject({ skipped: 'no backup' });
  await scene.run('status');
  const { stdout } = await runProcess(['replicate', '-once', '-json', '-config', scene.config]);
  expect(parseOutput('replicate', stdout)).toMatchObject({ databases: [{}, {}] });
  seen.add('replicate');
});

test('commands beside a replicator', async () => {
  const scene = new Scene();
  const replicator = await scene.start();
  const { app, sealed } = scene;
  expect(await scene.run('sync', '-wait')).toMatchObject([{ status: 'synced' }, {}]);
  // The replicator may find out too, and send them again.
  for (const level of ['0', '9']) fs.rmSync(path.join(scene.near, 'ltx', level, FIRST));
  expect(await scene.run('repair', '-dry-run', app)).toMatchObject([{ dry_run: true }]);
  expect(await scene.run('repair', app)).toMatchObject([{ database: app, dry_run: false }]);
  addRows(app, 1);
  await scene.run('sync', '-wait', app);
  await scene.run('info');
  await scene.run('list');
  await scene.run('check', 'near');
  await scene.run('history', app);
  await scene.run('history', '-limit', '3', app);
  await scene.run('ltx', '-level', 'all', app);
  await scene.run('cost', '-commits-per-hour', '60', '-bytes-per-commit', '4KiB', app);
  await scene.run('drill', '-assert', 'SELECT count(*) FROM notes', app);
  expect(await scene.run('status', app)).toMatchObject([
    { destinations: [{ drill: { result: 'ok' } }, {}], repair: { destinations: [{}, {}] } },
  ]);
  await scene.run('diagnose', '-log', scene.config);
  await scene.run('restore', '-dry-run', '-o', scene.at('copy.db'), app);
  const past = new Date().toISOString();
  await scene.run('restore', '-timestamp', past, '-dry-run', '-o', scene.at('copy.db'), app);
  await scene.run('restore', '-o', scene.at('copy.db'), app);
  await scene.run('restore', '-if-db-not-exists', app);
  await scene.run('decrypt', '-to', scene.url('plain'), sealed);
  await scene.run('snapshot', app);
  await scene.run('reseed', 'near', app);
  await scene.run('reload', '-dry-run');
  await scene.run('reset', '-dry-run', app);
  await scene.run('register', '-dry-run', '-replica', scene.url('third'), scene.at('third.db'));
  await scene.run('stop', app);
  await scene.run('start', app);
  await scene.run('unregister', app);
  await end(replicator);
  await scene.run('rekey', sealed);
});

test('a warm copy, and its promotion', async () => {
  const scene = new Scene();
  await runProcess(['replicate', '-once', '-config', scene.config]);
  const copy = scene.at('copy.db');
  const words = ['restore', '-f', '-json', '-o', copy, '-config', scene.config, scene.app];
  const follower = new CLIProcess(words);
  await follower.says(/"event":"current"/);
  follower.kill('SIGTERM');
  const { stdout } = await follower.ended();
  const lines = stdout.trim().split('\n');
  const events = lines.map((line) => parseOutput('restore', line) as { event: string });
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['restored', 'current']));
  seen.add('restore');
  await scene.runAlone('promote', copy);
});

test('each command that prints JSON was run, and has a schema', () => {
  expect([...seen].sort()).toEqual([...JSON_COMMANDS].sort());
});

test.each(JSON_COMMANDS)('the schema of %s refuses other JSON', (command) => {
  const validate = validatorOf(command);
  for (const other of [null, 'text', {}, [{}], { databases: [{}] }]) {
    expect(validate(other), JSON.stringify(other)).toBe(false);
  }
});
