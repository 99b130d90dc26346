/** The unit of `sluice init -systemd`, judged by systemd itself. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../../support/require.ts';
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

function analyze(words: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const env = { ...process.env, SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' };
  return spawnSync(needTool('systemd-analyze'), words, { encoding: 'utf8', env });
}
