/** Encrypted backups with other programs: Litestream 0.3.13 encrypts, age and Litestream read what Sluice wrote. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const CLI = path.resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'dist', 'main.js');
/** Made for this test by age-keygen. */
const RECIPIENT = 'age10xcxhj72wqsd040c47dyptd7kttutgyps8v35k3drfeenafv9uksvs2p3z';
const IDENTITY = 'AGE-SECRET-KEY-1HAKRYKZZ5YQ26KDCK52UNVUF43RM5C72SWD05M5JUK3QSQTQHV9SQ8KVG2';
/** Segments of the WAL at the old destination. */
const SEGMENTS_MIN = 5;

/** A database, its configuration, and one destination. */
class Machine {
  readonly folder = temporaryFolder('encrypted');
  readonly database = this.path('app.db');
  readonly backup = this.path('backup');
  readonly #application = new Database(this.database);

  constructor() {
    onTestFinished(() => void this.#application.close());
    this.#application.exec('PRAGMA journal_mode = WAL; CREATE TABLE rows (x)');
    this.addRows();
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  addRows(): void {
    const insert = this.#application.prepare('INSERT INTO rows VALUES (randomblob(3000))');
    for (let count = 0; count < 20; count++) insert.run();
  }

  config(keys: string): string {
    const file = this.path('litestream.yml');
    fs.writeFileSync(
      file,
      `dbs:
- path: ${this.database}
  replicas:
  - path: ${this.backup}
${keys}`,
    );
    return file;
  }

  /** Its output. */
  run(file: string, ...words: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(file, words, { encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    return stdout + stderr;
  }

  sluice(...words: readonly string[]): string {
    return this.run(process.execPath, CLI, ...words);
  }

  async replicateWith(program: string, config: string, isDone: () => boolean): Promise<void> {
    const child = spawn(program, ['replicate', '-config', config], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await until('it has replicated', async () => {
      this.addRows();
      return isDone();
    });
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }

  stored(): string[] {
    if (!fs.existsSync(this.backup)) return [];
    const names = fs.readdirSync(this.backup, { recursive: true, encoding: 'utf8' });
    return names
      .filter((name) => /\.(ltx|lz4)$/.test(name))
      .map((name) => path.join(this.backup, name));
  }
}

function contentOf(file: string): Buffer {
  const database = new Database(file, { readonly: true });
  try {
    return Buffer.from(
      JSON.stringify(database.prepare('SELECT rowid, hex(x) FROM rows ORDER BY rowid').all()),
    );
  } finally {
    database.close();
  }
}

describeWith(['litestream-0.3.13'], 'a backup that Litestream 0.3 encrypted', () => {
  test('is restored with the same configuration, to the same bytes', async () => {
    const machine = new Machine();
    const config = machine.config(`    sync-interval: 50ms
    age: { recipients: [${RECIPIENT}], identities: [${IDENTITY}] }
`);
    const litestream = needTool('litestream-0.3.13');
    await machine.replicateWith(litestream, config, () => {
      const isSegment = (file: string): boolean => file.endsWith('.wal.lz4');
      return machine.stored().filter(isSegment).length >= SEGMENTS_MIN;
    });
    for (const file of machine.stored()) {
      expect(fs.readFileSync(file, 'latin1')).toMatch(/^age-encryption\.org\/v1\n/);
    }
    const [ours, theirs] = [machine.path('ours.db'), machine.path('theirs.db')];
    machine.run(litestream, 'restore', '-config', config, '-o', theirs, machine.database);
    machine.sluice('restore', '-config', config, '-o', ours, machine.database);
    expect(fs.readFileSync(ours).equals(fs.readFileSync(theirs))).toBe(true);

    // What Sluice then writes beside it is encrypted for the same recipients.
    machine.sluice('replicate', '-once', '-config', config);
    const written = machine.stored().filter((file) => file.endsWith('.ltx'));
    expect(written.length).toBeGreaterThan(0);
    for (const file of written) {
      expect(fs.readFileSync(file, 'latin1')).toMatch(/^age-encryption\.org\/v1\n/);
    }
  });
});

describeWith(['age'], 'a file that Sluice encrypted', () => {
  test('is decrypted by age', () => {
    const machine = new Machine();
    const config = machine.config(`    encryption: { recipients: [${RECIPIENT}] }\n`);
    machine.sluice('replicate', '-once', '-config', config);
    fs.writeFileSync(machine.path('key.txt'), `${IDENTITY}\n`);
    expect(machine.stored().length).toBeGreaterThan(0);
    for (const file of machine.stored()) {
      const plain = machine.path('plain.ltx');
      machine.run(needTool('age'), '-d', '-i', machine.path('key.txt'), '-o', plain, file);
      const name = path.basename(file);
      const staged = machine.path(`.app.db-sluice/ltx/0/${name}`);
      if (file.includes('/ltx/0/') && fs.existsSync(staged)) {
        expect(fs.readFileSync(plain).equals(fs.readFileSync(staged))).toBe(true);
      } else expect(fs.readFileSync(plain, 'latin1').slice(0, 4)).toBe('LTX1');
    }
  });
});

describeWith(['litestream-0.5.18', 'litestream-0.5.17'], 'a decrypted copy', () => {
  test.for(['litestream-0.5.18', 'litestream-0.5.17'] as const)('is restored by %s', (tool) => {
    const machine = new Machine();
    const config = machine.config(
      `    encryption: { recipients: [${RECIPIENT}], identities: [${IDENTITY}] }\n`,
    );
    for (let runs = 0; runs < 3; runs++) {
      machine.addRows();
      machine.sluice('replicate', '-once', '-config', config);
    }
    const copy = machine.path('plain');
    machine.sluice('decrypt', '-to', `file://${copy}`, '-config', config, machine.database);
    const output = machine.path('theirs.db');
    machine.run(needTool(tool), 'restore', '-o', output, `file://${copy}`);
    expect(contentOf(output).equals(contentOf(machine.database))).toBe(true);
  });
});
