/**
 * The certificate of a drill lies beside the backup. Litestream restores that bucket, replicates to it, merges
 * and deletes in it, and never touches the certificate; Sluice then continues there.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { App, compare } from '../recovery/app.ts';
import { describeWith, needTool, type Tool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { Litestream } from './litestream.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
/** 0.5.12 reads only frames. */
const VERSIONS: readonly (readonly [Tool, 'block' | 'frame'])[] = [
  ['litestream-0.5.12', 'frame'],
  ['litestream-0.5.17', 'block'],
  ['litestream-0.5.18', 'block'],
];

/** Replicates until the destination has the certificate of a drill that began now. Returns its text. */
async function replicateAndDrill(app: App, encoding: string): Promise<string> {
  const certificate = path.join(app.bucket('a'), 'sluice-drill.json');
  const begun = new Date().toISOString();
  const config = path.join(app.folder, 'sluice.yml');
  const replica = { name: 'a', path: app.bucket('a') };
  const database = { path: app.path, 'page-encoding': encoding, replica };
  fs.writeFileSync(config, JSON.stringify({ dbs: [database], drill: { every: '1s' } }));
  const child = fork(CLI, ['replicate', '-config', config], { silent: true });
  onTestFinished(() => void child.kill('SIGKILL'));
  const read = (): { result: string; at: string } | undefined =>
    fs.existsSync(certificate)
      ? (JSON.parse(fs.readFileSync(certificate, 'utf8')) as { result: string; at: string })
      : undefined;
  await until('the drill has a certificate', () => (read()?.at ?? '') > begun);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(read()?.result).toBe('ok');
  return fs.readFileSync(certificate, 'utf8');
}

for (const [version, encoding] of VERSIONS) {
  describeWith([version], `a bucket with the certificate of a drill, ${version}`, () => {
    test(
      'is restored, continued, merged and cleaned by Litestream',
      { timeout: 120_000 },
      async () => {
        const app = new App();
        app.add(300);
        const text = await replicateAndDrill(app, encoding);

        const bucket = app.bucket('a');
        const litestream = new Litestream(needTool(version), app.path, bucket);
        onTestFinished(() => litestream.stop('SIGKILL'));
        const restored = path.join(app.folder, 'by-litestream.db');
        expect(litestream.restore(restored)).toBeUndefined();
        expect(compare(fs.readFileSync(restored), app.bytes())).toBe('equal');

        const namesAt = (level: number): string[] => {
          const folder = path.join(bucket, 'ltx', String(level));
          return fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
        };
        const [oldest = 'none'] = namesAt(0);
        expect(oldest).toMatch(/ltx$/);
        litestream.start({ retention: '2s' });
        await until('Litestream has merged files and deleted old ones', () => {
          app.add(5);
          return namesAt(1).length > 0 && !namesAt(0).includes(oldest);
        });
        await litestream.stop('SIGTERM');
        expect(litestream.log).not.toMatch(/level=ERROR/);
        expect(fs.readFileSync(path.join(bucket, 'sluice-drill.json'), 'utf8')).toBe(text);
        expect(litestream.restore(restored)).toBeUndefined();

        // A new certificate means that the backup was listed and restored again.
        await replicateAndDrill(app, encoding);
        expect(litestream.restore(restored)).toBeUndefined();
        expect(compare(fs.readFileSync(restored), app.bytes())).toBe('equal');
      },
    );
  });
}
