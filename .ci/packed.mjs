// Tests the packages as users get them: packs them, installs them with npm into an empty folder, and runs them with
// the oldest supported Node, the pinned one, and the newest one; then as a single executable file.
//   node .ci/packed.mjs OUT.json       writes { tests: [{ name, passed }] } for summary.mjs

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildExecutable } from '../scripts/build-executable.mjs';
import { packAll } from '../scripts/pack-all.mjs';
import { ROOT, setUp } from '../scripts/set-up.mjs';
import { NEWEST_NODE, OLDEST_NODE, runtimePackage } from '../scripts/versions.mjs';

const { node: pinnedNode, env } = setUp();
/** Names under which the other versions of Node are installed. */
const OTHERS = { 'node-oldest': OLDEST_NODE, 'node-newest': NEWEST_NODE };
const out = path.resolve(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-packed-'));
const tests = [];

try {
  const packages = packAll(folder, env);
  for (const name of Object.keys(packages))
    note(`${name} has no workspace ranges`, isPublishable(packages[name]));
  install(packages);
  for (const node of [nodeOf('node-oldest'), pinnedNode, nodeOf('node-newest')]) {
    const version = must(node, ['--version'], folder).trim();
    for (const name of Object.keys(packages)) {
      for (const entry of entriesOf(name)) {
        attempt(`${version}: ${entry} can be imported`, node, [
          '--input-type=module',
          '-e',
          `await import('${entry}')`,
        ]);
        attempt(`${version}: ${entry} can be required`, node, [
          '--input-type=commonjs',
          '-e',
          `if (Object.keys(require('${entry}')).length === 0) throw new Error('it exports nothing')`,
        ]);
      }
    }
    attempt(`${version}: the command line tool replicates and restores`, node, [scenario()]);
  }
  const program = path.join(folder, 'sluice-executable');
  const modules = path.join(folder, 'node_modules');
  buildExecutable({ modules, node: nodeOf('node-newest'), out: program });
  env.SLUICE_CACHE = path.join(folder, 'cache');
  env.SLUICE_PROGRAM = program;
  attempt('the single-file executable replicates, restores and drills', pinnedNode, [scenario()]);
} finally {
  fs.writeFileSync(out, JSON.stringify({ tests }));
  fs.rmSync(folder, { recursive: true, force: true });
}
process.exitCode = tests.every(({ passed }) => passed) ? 0 : 1;

function isPublishable(tarball) {
  const manifest = must(
    'tar',
    ['-xOf', tarball.replace(/^file:/, ''), 'package/package.json'],
    folder,
  );
  return !/"(?:workspace|catalog):/.test(manifest);
}

function install(packages) {
  const runtime = Object.fromEntries(
    Object.entries(OTHERS).map(([name, version]) => [
      name,
      `npm:${runtimePackage().name}@${version}`,
    ]),
  );
  const manifest = { private: true, dependencies: { ...packages, ...runtime } };
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  // Our packages must not need install scripts.
  must('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
}

function nodeOf(name) {
  return path.join(folder, 'node_modules', name, 'bin', 'node');
}

function entriesOf(name) {
  const file = path.join(folder, 'node_modules', name, 'package.json');
  const { exports = {} } = JSON.parse(fs.readFileSync(file, 'utf8'));
  return Object.keys(exports).map((entry) => path.posix.join(name, entry));
}

/** A copy in the folder, so that its imports resolve to the installed packages. */
function scenario() {
  const copy = path.join(folder, 'scenario.mjs');
  fs.copyFileSync(path.join(ROOT, '.ci', 'packed-scenario.mjs'), copy);
  return copy;
}

function attempt(name, node, args) {
  const result = spawnSync(node, args, { cwd: folder, env, encoding: 'utf8', timeout: 120_000 });
  note(name, result.status === 0);
  if (result.status !== 0)
    console.log(`${result.error?.message ?? ''}${result.stdout}${result.stderr}`);
}

function note(name, passed) {
  tests.push({ name, passed });
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name}`);
}

function must(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  throw new Error(
    `${command} ${args.join(' ')}: ${result.error?.message ?? ''}${result.stdout}${result.stderr}`,
  );
}
