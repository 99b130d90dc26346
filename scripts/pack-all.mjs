// Packs the packages of the workspace with npm, which does not replace workspace ranges: `prepack` must have done it.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './set-up.mjs';

/** Writes the tarballs to `folder`. Returns them as `file:` ranges, by package name. */
export function packAll(folder, env) {
  const tarballs = {};
  for (const parent of ['packages', 'apps']) {
    for (const name of fs.readdirSync(path.join(ROOT, parent))) {
      const source = path.join(ROOT, parent, name);
      const manifest = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'));
      const args = ['pack', '--json', '--loglevel=error', '--pack-destination', folder];
      const [{ filename }] = JSON.parse(npm(args, source, env));
      tarballs[manifest.name] = `file:${path.join(folder, filename)}`;
    }
  }
  return tarballs;
}

/** Runs npm. Throws with its output if it fails. */
export function npm(args, cwd, env) {
  const result = spawnSync('npm', args, { cwd, env, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  const output = `${result.error?.message ?? ''}${result.stdout}${result.stderr}`;
  throw new Error(`npm ${args.join(' ')}: ${output}`);
}
