// Sets up the checkout in three steps. A step is skipped if, according to its stamp, nothing has changed:
//   fetch    Node and pnpm from npm into .tools/runtime
//   install  the packages in the lockfile
//   build    the kernel and the packages
// The registry, proxy and certificates are those of the user's npm configuration.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPrint, sourcePrint } from './fingerprint.mjs';
import { PNPM_VERSION, runtimePackage } from './versions.mjs';

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const RUNTIME = path.join(ROOT, '.tools', 'runtime');
const STAMP = path.join(ROOT, '.tools', 'stamp.json');
/** Oldest Node with binaries in better-sqlite3 13. */
const PACKAGES_NODE_MIN = [22, 18];
const EXE = process.platform === 'win32' ? '.exe' : '';
/** Network settings that are copied from npm to pnpm. */
const NETWORK_SETTINGS = ['registry', 'proxy', 'https-proxy', 'noproxy', 'cafile', 'strict-ssl'];

export class SetUpError extends Error {
  name = 'SetUpError';
}

/** Brings the checkout up to date. Returns the path of Node and the environment for child processes. */
export function setUp() {
  const { node, env, stamp } = setUpTools();
  const source = sourcePrint(ROOT);
  if (stamp.source !== source || !isBuilt()) {
    // After the output was deleted, the .tsbuildinfo files of tsc are wrong.
    step('build', pnpmPath(), ['run', 'build', ...(isBuilt() ? [] : ['--force'])], env);
    writeStamp({ ...stamp, source });
  }
  return { node, env };
}

/** The same without the build, for commands that must run even if the sources do not compile. */
export function setUpTools() {
  const stamp = readStamp();
  const install = installPrint(ROOT);
  if (stamp.pnpm !== PNPM_VERSION || !fs.existsSync(stamp.node ?? '')) {
    stamp.node = fetchRuntime();
    stamp.pnpm = PNPM_VERSION;
    delete stamp.install;
  }
  const env = environment(stamp.node);
  if (stamp.install !== install || !isInstalled()) {
    // CI=true: pnpm never prompts.
    const installEnv = { ...env, ...networkSettings(), CI: 'true' };
    step('install packages', pnpmPath(), ['install', '--frozen-lockfile'], installEnv);
    writeStamp({ node: stamp.node, pnpm: stamp.pnpm, install });
  }
  return { node: stamp.node, env, stamp: readStamp() };
}

function fetchRuntime() {
  const runtime = runtimePackage();
  if (runtime === undefined) requireNewNode();
  const wanted = [`pnpm@${PNPM_VERSION}`];
  if (runtime !== undefined) wanted.push(`${runtime.name}@${runtime.version}`);
  fs.mkdirSync(RUNTIME, { recursive: true });
  // With its own package.json, npm does not use that of the repository.
  fs.writeFileSync(path.join(RUNTIME, 'package.json'), '{ "private": true }\n');
  const npm = npmCommand();
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--include=optional'];
  const args = [
    ...npm.args,
    'install',
    ...quiet,
    '--loglevel=error',
    '--prefix',
    RUNTIME,
    ...wanted,
  ];
  step(`fetch ${wanted.join(' and ')}`, npm.command, args);
  const node =
    runtime === undefined
      ? process.execPath
      : path.join(RUNTIME, 'node_modules', runtime.name, 'bin', `node${EXE}`);
  // The only install script of pnpm: it installs the binary for this platform.
  step('unpack pnpm', node, [path.join(RUNTIME, 'node_modules', 'pnpm', 'install.js')]);
  return node;
}

function requireNewNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = PACKAGES_NODE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new SetUpError(
    `Sluice needs Node >= ${PACKAGES_NODE_MIN.join('.')}, but this is ${process.versions.node}, and npm ` +
      `has no newer one for ${process.platform}-${process.arch}: install it and try again.`,
  );
}

function environment(node) {
  const bins = [path.dirname(node), path.join(RUNTIME, 'node_modules', '.bin')];
  return {
    ...process.env,
    PATH: [...bins, process.env.PATH].join(path.delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
  };
}

/** pnpm reads only the user's .npmrc, not npm's global configuration or environment. */
function networkSettings() {
  const npm = npmCommand();
  const args = [...npm.args, 'config', 'list', '--long', '--json'];
  const result = spawnSync(npm.command, args, { cwd: RUNTIME, encoding: 'utf8' });
  if (result.status !== 0) {
    throw new SetUpError(`npm config list failed: ${result.error?.message ?? result.stderr}`);
  }
  const config = JSON.parse(result.stdout);
  const settings = {};
  for (const key of NETWORK_SETTINGS) {
    const value = [config[key] ?? ''].flat().join(',');
    if (value !== '') settings[`pnpm_config_${key.replace('-', '_')}`] = value;
  }
  return settings;
}

/** Uses the npm that runs this script, otherwise the one in PATH. */
function npmCommand() {
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('npm-cli.js')) return { command: process.execPath, args: [npm] };
  if (process.platform === 'win32') return { command: 'cmd.exe', args: ['/c', 'npm'] };
  return { command: 'npm', args: [] };
}

function pnpmPath() {
  return path.join(RUNTIME, 'node_modules', 'pnpm', `pnpm${EXE}`);
}

/** Runs a step and prints its duration. Prints its output only if it fails. */
function step(what, command, args, env = process.env) {
  const started = Date.now();
  const options = { cwd: ROOT, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
  const result = spawnSync(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (result.status === 0) {
    console.error(`${what}: ${seconds} s`);
    return;
  }
  const output = [result.stdout, result.stderr, result.error?.message].filter(Boolean).join('\n');
  const end = result.signal ?? result.status ?? 'no status';
  throw new SetUpError(`${output.trimEnd()}\n${what}: failed after ${seconds} s with ${end}`);
}

function isInstalled() {
  return fs.existsSync(path.join(ROOT, 'node_modules', '.modules.yaml'));
}

function isBuilt() {
  const exists = (file) => fs.existsSync(path.join(ROOT, file));
  const packages = fs.readdirSync(path.join(ROOT, 'packages')).map((name) => `packages/${name}`);
  const outputs = packages
    .filter((folder) => exists(`${folder}/tsconfig.json`)) // the others need no build
    .map((folder) => `${folder}/dist/index.js`);
  const page = 'apps/dashboard/dist/page/index.html';
  return [...outputs, page, 'apps/cli/dist/main.js', 'packages/core/wasm'].every(exists);
}

/** An unreadable stamp counts as missing: all steps run again. */
function readStamp() {
  try {
    return JSON.parse(fs.readFileSync(STAMP, 'utf8'));
  } catch {
    return {};
  }
}

function writeStamp(stamp) {
  const temporary = `${STAMP}.${process.pid}`;
  fs.writeFileSync(temporary, JSON.stringify(stamp));
  fs.renameSync(temporary, STAMP);
}
