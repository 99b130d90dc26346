/** The unit of `sluice init -systemd`, judged by systemd itself. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { addRows } from '../../../apps/cli/test/support/database.ts';
import { CLI, runProcess } from '../../../apps/cli/test/support/process.ts';
import { closedEndpoint } from '../../../apps/cli/test/support/silent-server.ts';
import { describeWith, needTool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { ServiceManager } from './service-manager.ts';
import { init } from './written.ts';

const DOCS = path.resolve(import.meta.dirname, '../../../docs/operations.md');
/** In folders that exist on every machine: the unit may only name files that exist. */
const WORDS = ['-systemd', '-user', '1000', '/var/lib/app.db', 's3://bucket/a', 'file:///srv/b/a'];

describeWith(['systemd-analyze'], 'the unit of sluice init', () => {
  test('systemd finds nothing wrong with it', async () => {
    const { folder } = await init(WORDS);
    const { status, stderr } = analyze(['verify', path.join(folder, 'sluice.service')]);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('words with special characters reach the command as they are', async () => {
    const { folder, text } = await init([
      '-systemd',
      '/var/lib/50% of $HOME/a b.db',
      'file:///srv/b/a',
    ]);
    const unit = path.join(folder, 'sluice.service');
    expect(text('sluice.service')).toContain('"/var/lib/50%% of $$HOME" /srv/b');
    expect(analyze(['verify', unit]).stderr).toBe('');
  });

  test('its exposure is below the number that the documentation states', async () => {
    const { folder } = await init(WORDS);
    const [, stated = ''] =
      /exposure level below \*\*([\d.]+)\*\*/.exec(fs.readFileSync(DOCS, 'utf8')) ?? [];
    expect(Number(stated)).toBeGreaterThan(0);
    const unit = path.join(folder, 'sluice.service');
    const threshold = `--threshold=${Number(stated) * 10}`;
    const { status, stdout } = analyze(['security', '--offline=true', threshold, unit]);
    expect(status, stdout).toBe(0);
    const [, exposure] = /Overall exposure level for sluice\.service: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(exposure)).toBeLessThan(Number(stated));
  });
});

describeWith(
  ['systemd-analyze', 'systemd-notify', 'python3', 'strace'],
  'the unit of sluice init',
  () => {
    test('allows every system call that Sluice makes', async () => {
      const { text } = await init(WORDS);
      const filters = [...text('sluice.service').matchAll(/^SystemCallFilter=(.*)$/gm)];
      const allowed = callsOf('@default');
      for (const [, filter = ''] of filters) {
        const calls = callsOf(filter.replace(/^~/, ''));
        for (const call of calls) {
          if (filter.startsWith('~')) allowed.delete(call);
          else allowed.add(call);
        }
      }
      const made = await callsMade();
      expect(made.size).toBeGreaterThan(40);
      expect([...made].filter((call) => !allowed.has(call))).toEqual([]);
    });
  },
);

/** System calls of a group such as @system-service. */
function callsOf(group: string): Set<string> {
  const { stdout } = analyze(['syscall-filter', group]);
  const names = stdout
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  const found = names.filter((name) => name !== '' && !name.startsWith('#'));
  return new Set(found.flatMap((name) => (name.startsWith('@') ? [...callsOf(name)] : [name])));
}

/** By a start with a restore, replication to a folder and to a server, messages to systemd, and a drill. */
async function callsMade(): Promise<Set<string>> {
  const folder = temporaryFolder('calls');
  const database = path.join(folder, 'app.db');
  const backup = `file://${path.join(folder, 'backup')}`;
  addRows(database, 3);
  expect((await runProcess(['replicate', '-once', database, backup])).code).toBe(0);
  for (const end of ['', '-wal', '-shm']) fs.rmSync(`${database}${end}`, { force: true });
  const { socket } = await ServiceManager.listen();
  const server = `s3://bucket/a?endpoint=${await closedEndpoint()}&region=r&access-key-id=k&secret-access-key=s`;
  const config = path.join(folder, 'sluice.yml');
  fs.writeFileSync(
    config,
    `shutdown-sync-timeout: 0s\ndbs: [{ path: ${database}, replicas: [{ url: '${backup}' }, { url: '${server}' }] }]`,
  );
  const trace = path.join(folder, 'trace');
  const replicate = [CLI, 'replicate', '-exec', 'sleep 3', '-config', config];
  const drill = [CLI, 'drill', backup];
  for (const words of [[CLI, 'restore', '-o', database, backup], replicate, drill]) {
    const flags = ['-f', '-qq', '-A', '-o', trace, '-e', 'signal=none'];
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    spawnSync(needTool('strace'), [...flags, process.execPath, ...words], { env });
  }
  const lines = fs.readFileSync(trace, 'utf8').split('\n');
  const calls = lines.map((line) => /^\d+ +(?:<\.\.\. )?([a-z]\w*)(?:\(| resumed)/.exec(line)?.[1]);
  return new Set(calls.filter((call) => call !== undefined));
}

function analyze(words: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const env = { ...process.env, SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' };
  return spawnSync(needTool('systemd-analyze'), words, { encoding: 'utf8', env });
}
