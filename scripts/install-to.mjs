// Installs the command line tool of this checkout into a folder, as npm would install the published package:
//   node scripts/install-to.mjs FOLDER        then run FOLDER/node_modules/.bin/sluice
// Used by packaging/Dockerfile and scripts/build-executable.mjs. The folder must be empty or missing.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { npm, packAll } from './pack-all.mjs';
import { setUp } from './set-up.mjs';

const CLI = 'sluice';
const folder = path.resolve(process.argv[2] ?? '');
if (process.argv[2] === undefined || isUsed(folder)) {
  console.error('usage: node scripts/install-to.mjs FOLDER, which must be empty or missing');
  process.exit(2);
}
const { env } = setUp();
const tarballs = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-tarballs-'));
try {
  const packages = packAll(tarballs, env);
  // Its dependencies are tarballs too: `overrides` keeps npm from looking for them in the registry.
  const { [CLI]: cli, ...others } = packages;
  const manifest = { private: true, dependencies: { [CLI]: cli }, overrides: others };
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const quiet = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  npm(['install', ...quiet], folder, env);
  // They name the tarballs, which are gone.
  fs.rmSync(path.join(folder, 'package-lock.json'));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
} finally {
  fs.rmSync(tarballs, { recursive: true, force: true });
}

function isUsed(file) {
  return fs.existsSync(file) && fs.readdirSync(file).length > 0;
}
