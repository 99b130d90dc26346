/**
 * A disk in /etc/fstab that is not mounted, in a separate mount namespace: its folder exists and is
 * empty. Needs root, or the right to be root in a namespace.
 */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = path.resolve(import.meta.dirname, '../../apps/cli/dist/main.js');
const USER = process.getuid?.() === 0 ? [] : ['--map-root-user'];

interface Run {
  readonly code: number;
  readonly output: string;
}

interface Scene {
  readonly folder: string;
  readonly disk: string;
  /** Runs `sluice <words>`, with the disk mounted or not. */
  readonly sluice: (state: 'mounted' | 'not mounted', words: readonly string[]) => Promise<Run>;
}

function newScene(): Scene {
  const folder = temporaryFolder('unmounted');
  const disk = path.join(folder, 'disk');
  fs.mkdirSync(disk);
  fs.mkdirSync(path.join(folder, 'content'));
  const fstab = path.join(folder, 'fstab');
  fs.writeFileSync(fstab, `UUID=1 ${disk} ext4 noauto 0 2\n`);
  if (!fs.existsSync('/etc/fstab')) throw new Error('this test needs /etc/fstab to mount over');
  return {
    folder,
    disk,
    sluice: async (state, words) => {
      const mount = state === 'mounted' ? `mount --bind ${folder}/content ${disk} &&` : '';
      const script = `mount --bind ${fstab} /etc/fstab && ${mount} exec "$0" "$@"`;
      const args = ['--mount', ...USER, 'sh', '-c', script, process.execPath, CLI, ...words];
      try {
        const { stdout, stderr } = await promisify(execFile)(needTool('unshare'), args);
        return { code: 0, output: stdout + stderr };
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
        return { code, output: stdout + stderr };
      }
    },
  };
}

describeWith(['unshare'], 'a disk that is not mounted', () => {
  test('is named in the error, and is never treated as a destination without a backup', async () => {
    const { folder, disk, sluice } = newScene();
    for (const destination of [disk, path.join(disk, 'app')]) {
      const output = path.join(folder, 'app.db');
      const words = ['restore', '-if-replica-exists', '-o', output, `file://${destination}`];
      const { code, output: printed } = await sluice('not mounted', words);
      expect(code, printed).toBe(7);
      expect(printed).toContain(
        `${disk} is a mount point of /etc/fstab, and nothing is mounted there`,
      );
      expect((await sluice('mounted', words)).code).toBe(0);
    }
  });

  test('gets neither a backup nor a restored database', async () => {
    const { folder, disk, sluice } = newScene();
    const database = path.join(folder, 'app.db');
    const application = new Database(database);
    application.exec('CREATE TABLE t(a)');
    application.close();
    const config = path.join(folder, 'sluice.yml');
    fs.writeFileSync(
      config,
      `shutdown-sync-timeout: 1s\ndbs: [{ path: ${database}, replica: { path: ${disk}/app } }]\n`,
    );
    const words = ['replicate', '-once', '-config', config];
    expect((await sluice('not mounted', words)).code).toBe(3);
    expect(fs.readdirSync(disk)).toEqual([]);
    expect((await sluice('mounted', words)).code).toBe(0);

    const restore = ['restore', '-o', `${disk}/app.db`, `file://${folder}/content/app`];
    const { code, output } = await sluice('not mounted', restore);
    expect(code).toBe(1);
    expect(output).toMatch(/nothing is mounted there; mount it, or choose another path/);
    expect(fs.readdirSync(disk)).toEqual([]);
    expect((await sluice('mounted', restore)).code).toBe(0);
  });
});
