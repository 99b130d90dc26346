// Sets the repository up on a machine that has only Node >= 18 and npm, and runs a verb:
//   node scripts/bootstrap.mjs                 set up only
//   node scripts/bootstrap.mjs start           the demo
//   node scripts/bootstrap.mjs start -- ...    the command line tool with these arguments
//   node scripts/bootstrap.mjs test ...        the tests
//
// It fetches a Node and pnpm from npm into .tools/runtime, installs from the lockfile and builds.
// A second call sees from a stamp that nothing has changed, and only runs the verb.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PNPM_VERSION, RUNTIME_NODE, runtimePackage } from './versions.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const RUNTIME = path.join(ROOT, '.tools', 'runtime');
const STAMP = path.join(ROOT, '.tools', 'stamp.json');
const NODE_MIN = [18, 0];
/** What the packages run on: better-sqlite3 13 carries its binaries for these. */
const PACKAGES_NODE_MIN = [22, 18];

function fail(message) {
  console.error(message);
  process.exit(1);
}

function atLeast(version, least) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > least[0] || (major === least[0] && minor >= least[1]);
}

function step(what, command, args, env = process.env) {
  const started = Date.now();
  const shell = process.platform === 'win32';
  const result = spawnSync(command, args, { cwd: ROOT, env, encoding: 'utf8', shell });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (result.status === 0) {
    console.error(`${what}: ${seconds} s`);
    return;
  }
  console.error(result.stdout ?? '', result.stderr ?? '', result.error?.message ?? '');
  fail(`${what} failed: ${command} ${args.join(' ')} ended with ${result.status ?? 'no status'}`);
}

/** The Node that everything runs on, fetched where the one at hand is too old. */
function runtimeNode() {
  const name = runtimePackage();
  if (name === undefined) {
    if (atLeast(process.version, PACKAGES_NODE_MIN)) return process.execPath;
    fail(
      `npm has no Node ${RUNTIME_NODE} for ${process.platform}-${process.arch}, and this is ` +
        `${process.version}: install Node >= ${PACKAGES_NODE_MIN.join('.')} and try again`,
    );
  }
  const exe = process.platform === 'win32' ? 'node.exe' : 'node';
  return path.join(RUNTIME, 'node_modules', name, 'bin', exe);
}

function fetchRuntime(node) {
  const name = runtimePackage();
  const wanted = [`pnpm@${PNPM_VERSION}`, ...(name === undefined ? [] : [`${name}@${RUNTIME_NODE}`])];
  const known = path.join(RUNTIME, 'wanted.json');
  if (fs.existsSync(known) && fs.readFileSync(known, 'utf8') === JSON.stringify(wanted)) {
    if (fs.existsSync(node)) return;
  }
  fs.mkdirSync(RUNTIME, { recursive: true });
  fs.writeFileSync(path.join(RUNTIME, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  step('fetch Node and pnpm from npm', 'npm', [...args, '--prefix', RUNTIME, ...wanted]);
  fs.writeFileSync(known, JSON.stringify(wanted));
}

/** Everything that decides what an install or a build gives. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'tsconfig.base.json']) {
    hash.update(fs.readFileSync(path.join(ROOT, file)));
  }
  for (const folder of ['packages', 'apps']) {
    for (const name of fs.readdirSync(path.join(ROOT, folder))) {
      for (const part of ['src', 'assembly', 'package.json', 'tsconfig.json']) {
        addTo(hash, path.join(ROOT, folder, name, part));
      }
    }
  }
  addTo(hash, path.join(ROOT, 'test', 'package.json'));
  return hash.digest('hex');
}

function addTo(hash, file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory()) {
    for (const name of fs.readdirSync(file).sort()) addTo(hash, path.join(file, name));
    return;
  }
  hash.update(`${path.relative(ROOT, file)} ${stat.size} ${stat.mtimeMs}\n`);
}

function isUpToDate(print) {
  if (!fs.existsSync(STAMP)) return false;
  if (!fs.existsSync(path.join(ROOT, 'apps', 'cli', 'dist', 'main.js'))) return false;
  return fs.readFileSync(STAMP, 'utf8') === print;
}

export function setUp() {
  if (!atLeast(process.version, NODE_MIN)) {
    fail(`this is Node ${process.version}; setting up needs Node >= ${NODE_MIN.join('.')}`);
  }
  const node = runtimeNode();
  const bin = path.join(RUNTIME, 'node_modules', '.bin');
  const env = {
    ...process.env,
    PATH: [path.dirname(node), bin, process.env.PATH].join(path.delimiter),
    npm_config_update_notifier: 'false',
    TURBO_TELEMETRY_DISABLED: '1',
  };
  const print = fingerprint();
  if (!fs.existsSync(node) || !isUpToDate(print)) {
    fetchRuntime(node);
    const pnpm = path.join(bin, process.platform === 'win32' ? 'pnpm.cmd' : 'pnpm');
    step('install from the lockfile', pnpm, ['install', '--frozen-lockfile'], env);
    step('build', pnpm, ['run', 'build'], env);
    fs.writeFileSync(STAMP, fingerprint());
  }
  return { node, env };
}

function run(node, args, env) {
  const result = spawnSync(node, args, { cwd: process.cwd(), env, stdio: 'inherit' });
  if (result.signal) process.kill(process.pid, result.signal);
  process.exit(result.status ?? 1);
}

const [verb, ...rest] = process.argv.slice(2);
const { node, env } = setUp();
const args = rest[0] === '--' ? rest.slice(1) : rest;
const cli = path.join(ROOT, 'apps', 'cli', 'dist', 'main.js');
switch (verb) {
  case undefined:
    break;
  case 'start':
    run(node, args.length > 0 ? [cli, ...args] : [path.join(ROOT, 'test', 'demo', 'main.ts')], env);
    break;
  case 'cli':
    run(node, [cli, ...args], env);
    break;
  case 'test': {
    process.chdir(ROOT);
    const vitest = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
    run(node, [vitest, 'run', ...args], env);
    break;
  }
  default:
    fail(`unknown verb "${verb}": start, cli or test`);
}
