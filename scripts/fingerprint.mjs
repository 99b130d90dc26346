// Hashes of the inputs of an install and of a build. The hash for an install uses file contents, because an
// unnecessary install costs a download. The hash for a build uses sizes and times, because there are many files
// and an unnecessary build costs only seconds.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const WORKSPACES = ['packages', 'apps'];

/** Changes if an install is needed. */
export function installPrint(root) {
  const hash = createHash('sha256');
  const manifests = workspaces(root).map((folder) => path.join(folder, 'package.json'));
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    hash.update(`${file}\n`).update(fs.readFileSync(path.join(root, file)));
  }
  return hash.digest('hex');
}

/** Changes if a build may be needed. */
export function sourcePrint(root) {
  const hash = createHash('sha256');
  for (const file of ['tsconfig.base.json', 'turbo.json']) addTo(hash, path.join(root, file));
  for (const folder of workspaces(root)) {
    for (const part of [
      'src',
      'assembly',
      'page',
      'vite.config.ts',
      'package.json',
      'tsconfig.json',
    ]) {
      addTo(hash, path.join(root, folder, part));
    }
  }
  return hash.digest('hex');
}

function workspaces(root) {
  const found = WORKSPACES.flatMap((parent) =>
    fs.readdirSync(path.join(root, parent)).map((name) => path.join(parent, name)),
  );
  const folders = [...found, 'test'].sort();
  return folders.filter((folder) => fs.existsSync(path.join(root, folder, 'package.json')));
}

function addTo(hash, file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    hash.update(`${file} ${stat.size} ${stat.mtimeMs}\n`);
    return;
  }
  for (const name of fs.readdirSync(file).sort()) addTo(hash, path.join(file, name));
}
