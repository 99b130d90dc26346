// What must hold of every commit: one line for each check, all of them run, 1 if any fails.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const CHECKS = [
  ['format', ['oxfmt', '--check', '.']],
  ['lint', ['oxlint', '--type-aware']],
  ['types', ['tsc', '-b']],
  ['boundaries', ['turbo', 'boundaries', '--no-color']],
  ['unused', ['knip', '--no-progress']],
  ['packages/core publishes', ['publint', 'packages/core', '--strict', '--pack', 'npm']],
  ['packages/file publishes', ['publint', 'packages/file', '--strict', '--pack', 'npm']],
  ['packages/s3 publishes', ['publint', 'packages/s3', '--strict', '--pack', 'npm']],
  ['apps/cli publishes', ['publint', 'apps/cli', '--strict', '--pack', 'npm']],
];

let failed = 0;
for (const [name, command] of CHECKS) {
  const started = Date.now();
  const result = spawnSync('pnpm', ['exec', ...command], { cwd: ROOT, encoding: 'utf8' });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${result.status === 0 ? 'ok  ' : 'FAIL'} ${name} ${seconds} s`);
  if (result.status === 0) continue;
  failed += 1;
  console.log(`${result.stdout}${result.stderr}`.trimEnd());
}
process.exit(failed === 0 ? 0 : 1);
