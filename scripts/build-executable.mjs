// Builds Sluice as one executable file, with Node in it, for this platform, and runs it once:
//   node scripts/build-executable.mjs OUT
// The file is about 150 MB. At its first start it unpacks its packages into a cache folder (scripts/executable/main.cjs).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { npm } from './pack-all.mjs';
import { ROOT, setUp } from './set-up.mjs';
import { NEWEST_NODE, runtimePackage } from './versions.mjs';

const MAIN = path.join(ROOT, 'scripts', 'executable', 'main.cjs');
/** Files that are read only by people and compilers. Licenses stay. */
const UNUSED = /\.(?:d\.[cm]?ts|map|md|markdown|[cm]?ts|flow|tsbuildinfo)$/;
/** The pages that `sluice help` prints. */
const PAGES = path.join('sluice', 'docs', '/');
/** Other runtimes, and links to programs. */
const UNUSED_FOLDERS = /^(?:\.bin|\.cache|node-(?:bin-)?[a-z]+-[a-z0-9]+|node-oldest|node-newest)$/;
const RUN = "import(require('node:url').pathToFileURL(process.argv[1]).href);\n";

/** `modules`: a node_modules with sluice. `node`: Node 25.5 or later, which the executable contains. */
export function buildExecutable({ modules, node, out }) {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-executable-'));
  try {
    const assets = writePayload(modules, work);
    const config = path.join(work, 'sea.json');
    const settings = {
      main: MAIN,
      output: path.resolve(out),
      assets,
      disableExperimentalSEAWarning: true,
    };
    fs.writeFileSync(config, JSON.stringify(settings));
    fs.mkdirSync(path.dirname(path.resolve(out)), { recursive: true });
    run(node, ['--build-sea', config]);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Returns the assets by name. */
function writePayload(modules, work) {
  const files = [
    ['run.cjs', Buffer.from(RUN)],
    ['package.json', Buffer.from('{ "private": true }\n')],
  ];
  for (const name of namesIn(modules, '')) {
    files.push([path.join('node_modules', name), fs.readFileSync(path.join(modules, name))]);
  }
  const data = Buffer.concat(files.map(([, content]) => content));
  const index = JSON.stringify(files.map(([name, content]) => [name, content.length]));
  const id = createHash('sha256').update(index).update(data).digest('hex').slice(0, 16);
  const contents = { id, files: index, data: gzipSync(data) };
  return Object.fromEntries(
    Object.entries(contents).map(([name, content]) => {
      const file = path.join(work, name);
      fs.writeFileSync(file, content);
      return [name, file];
    }),
  );
}

/** Sorted, so that the same packages give the same executable. */
function namesIn(root, folder) {
  const entries = fs.readdirSync(path.join(root, folder), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) return UNUSED_FOLDERS.test(entry.name) ? [] : namesIn(root, name);
      const isUsed = !UNUSED.test(entry.name) || name.startsWith(PAGES);
      return entry.isFile() && isUsed ? [name] : [];
    });
}

function run(command, args, env = process.env) {
  const result = spawnSync(command, args, { env, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  const output = `${result.error?.message ?? ''}${result.stdout}${result.stderr}`;
  throw new Error(`${command} ${args.join(' ')}: ${output}`);
}

function main(out) {
  if (out === undefined) {
    console.error('usage: node scripts/build-executable.mjs OUT');
    process.exit(2);
  }
  const { env, node: pinned } = setUp();
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-executable-'));
  try {
    const app = path.join(work, 'app');
    run(pinned, [path.join(ROOT, 'scripts', 'install-to.mjs'), app], env);
    const runtime = path.join(work, 'runtime');
    fs.mkdirSync(runtime);
    const wanted = `node-newest@npm:${runtimePackage().name}@${NEWEST_NODE}`;
    npm(
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', runtime, wanted],
      runtime,
      env,
    );
    const node = path.join(runtime, 'node_modules', 'node-newest', 'bin', 'node');
    buildExecutable({ modules: path.join(app, 'node_modules'), node, out });
    const cache = { ...process.env, SLUICE_CACHE: path.join(work, 'cache') };
    console.log(`${out}: ${run(path.resolve(out), ['version', '-verbose'], cache)}`);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]);
