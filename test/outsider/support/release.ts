/** Packs our packages as for a release, with the version of the first release. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..', '..', '..');
const VERSION = '1.0.0';

/** Environment for npm and other tools, without update notices. */
const ENV: NodeJS.ProcessEnv = { ...process.env, npm_config_update_notifier: 'false' };

/** Packs packages into `folder`. Returns the tarballs by package name. */
export function release(folder: string, ...sources: readonly string[]): Record<string, string> {
  fs.mkdirSync(folder, { recursive: true });
  return Object.fromEntries(sources.map((source) => pack(folder, source)));
}

function pack(folder: string, source: string): [name: string, tarball: string] {
  const work = path.join(folder, source.replaceAll('/', '-'));
  const packed = path.join(folder, `${path.basename(work)}.packed.tgz`);
  run('pnpm', ['pack', '--out', packed], path.join(ROOT, source));
  fs.mkdirSync(work);
  run('tar', ['-xzf', packed, '-C', work, '--strip-components=1'], folder);
  const file = path.join(work, 'package.json');
  const text = fs.readFileSync(file, 'utf8');
  const manifest = JSON.parse(text.replaceAll(/"\^?0\.0\.0"/g, `"${VERSION}"`)) as Manifest;
  const peers = manifest.peerDependencies?.['@sluice/core'] === undefined;
  if (!peers) manifest.peerDependencies = { '@sluice/core': '>=1 <2' };
  fs.writeFileSync(file, JSON.stringify(manifest));
  return [manifest.name, npmPack(work, folder)];
}

interface Manifest {
  readonly name: string;
  peerDependencies?: Record<string, string>;
}

export function npmPack(source: string, folder: string): string {
  const [name] = run('npm', ['pack', '--silent', '--pack-destination', folder], source)
    .trim()
    .split('\n')
    .slice(-1);
  return path.join(folder, name ?? '');
}

/** Installs dependencies into `folder` with npm, without running package scripts. */
export function install(folder: string, dependencies: Readonly<Record<string, string>>): void {
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'package.json');
  const manifest = fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>)
    : { private: true, type: 'module' };
  fs.writeFileSync(file, JSON.stringify({ ...manifest, devDependencies: dependencies }));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], folder);
}

/** Runs a command and returns its output. Throws an error with the output if it fails. */
export function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: ENV,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(' ')} in ${cwd}: ${error?.message ?? ''}${stdout}${stderr}`,
  );
}
