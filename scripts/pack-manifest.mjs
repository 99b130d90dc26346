// Prepares the package.json of a package for publishing with any tool: replaces `workspace:` and `catalog:` ranges by
// versions, because npm packs them unchanged. Each package runs this script in `prepack`, and with `--restore`, which
// restores the file, in `postpack`.

import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './set-up.mjs';

const FIELDS = ['dependencies', 'peerDependencies', 'optionalDependencies', 'devDependencies'];
const file = path.resolve('package.json');
const saved = path.join(ROOT, '.cache', 'pack', `${path.basename(process.cwd())}.json`);

if (process.argv.includes('--restore')) restore();
else prepare();

function prepare() {
  restore(); // in case an earlier run was interrupted
  const text = fs.readFileSync(file, 'utf8');
  const manifest = JSON.parse(text);
  const catalog = readCatalog();
  for (const field of FIELDS) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      manifest[field][name] = toVersion(name, range, catalog);
    }
  }
  fs.mkdirSync(path.dirname(saved), { recursive: true });
  fs.writeFileSync(saved, text);
  fs.writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}

function restore() {
  if (!fs.existsSync(saved)) return;
  fs.copyFileSync(saved, file);
  fs.rmSync(saved);
}

/** The `catalog` of pnpm-workspace.yaml: lines of `  name: version`. */
function readCatalog() {
  const text = fs.readFileSync(path.join(ROOT, 'pnpm-workspace.yaml'), 'utf8');
  const [, block = ''] = /^catalog:\n((?: {2}.*\n)+)/m.exec(text) ?? [];
  return new Map(
    Array.from(block.matchAll(/^ {2}'?([^\s':]+)'?: (\S+)$/gm), ([, name, version]) => [
      name,
      version,
    ]),
  );
}

function toVersion(name, range, catalog) {
  if (range === 'catalog:') {
    const version = catalog.get(name);
    if (version === undefined)
      throw new Error(`${file}: ${name} is not in the catalog; add it to pnpm-workspace.yaml`);
    return version;
  }
  const [, sign] = /^workspace:([\^~*]?)$/.exec(range) ?? [];
  if (sign === undefined) return range;
  const version = versionOf(name);
  return sign === '*' ? version : `${sign}${version}`;
}

function versionOf(name) {
  for (const parent of ['packages', 'apps']) {
    for (const folder of fs.readdirSync(path.join(ROOT, parent))) {
      const other = path.join(ROOT, parent, folder, 'package.json');
      const manifest = JSON.parse(fs.readFileSync(other, 'utf8'));
      if (manifest.name === name) return manifest.version;
    }
  }
  throw new Error(`${file}: the workspace has no package ${name}`);
}
