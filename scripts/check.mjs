// Runs all checks that every commit must pass, also in CI. Prints one line per check; exits with 1 if any fails.
//   node scripts/check.mjs [--only format,lint]

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, setUpTools } from './set-up.mjs';

const PUBLISHED = ['packages', 'apps'].flatMap((parent) =>
  fs.readdirSync(path.join(ROOT, parent)).map((name) => path.join(parent, name)),
);
/** The build comes first, because later checks use its output. */
const CHECKS = [
  { name: 'format', run: ['exec', 'oxfmt', '--check', '.'] },
  { name: 'build', run: ['run', 'build'] },
  { name: 'types', run: ['exec', 'tsc', '-b'] },
  { name: 'lint', run: ['exec', 'oxlint', '--type-aware'] },
  // Except for test/, which may import internals of the packages.
  {
    name: 'boundaries',
    run: ['exec', 'turbo', 'boundaries', '--no-color', '--filter=!@sluice/test'],
  },
  { name: 'drawing', run: ['exec', 'node', 'scripts/draw-flow.mjs', '--check'] },
  { name: 'unused', run: ['exec', 'knip', '--no-progress', '--no-config-hints'] },
  // Published types, as a compiler resolves them. A package without exports has none.
  ...PUBLISHED.filter((folder) => hasExports(folder)).map((folder) => ({
    name: `types of ${folder}`,
    run: ['exec', 'attw', '--pack', folder, '--profile', 'esm-only', '--no-color'],
  })),
  ...PUBLISHED.map((folder) => ({
    name: `publish ${folder}`,
    run: ['exec', 'publint', 'run', folder, '--strict', '--pack', 'npm'],
  })),
];

const only = process.argv[2] === '--only' ? process.argv[3].split(',') : undefined;
const { env } = setUpTools();
const failed = CHECKS.filter(({ name }) => only === undefined || only.includes(name)).filter(
  (check) => !passes(check),
);
if (failed.length > 0) {
  console.log(`failed: ${failed.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
}

function hasExports(folder) {
  return 'exports' in JSON.parse(fs.readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8'));
}

function passes({ name, run }) {
  const started = Date.now();
  const result = spawnSync('pnpm', run, { cwd: ROOT, env, encoding: 'utf8' });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const passed = result.status === 0;
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} ${seconds} s`);
  if (!passed)
    console.log(`${result.error?.message ?? ''}${result.stdout}${result.stderr}`.trimEnd());
  return passed;
}
