/**
 * Where the code of a package is, looked for from a folder that is not ours. `require.resolve`
 * fails on packages that have import conditions only, and `import.meta.resolve` knows our own
 * folder only, so `exports` is read here.
 */

import fs from 'node:fs';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Path of the module that `import 'name'` gives, from the first of `folders` that has it. */
export function findPackageEntry(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const manifest = findManifest(name, pathToFileURL(path.join(folder, 'from.js')).href);
    if (manifest !== undefined) return path.join(path.dirname(manifest), entryOf(manifest));
  }
  return undefined;
}

function findManifest(name: string, from: string): string | undefined {
  try {
    return findPackageJSON(name, from);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function entryOf(manifest: string): string {
  const { exports, main } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as {
    readonly exports?: unknown;
    readonly main?: string;
  };
  return resolveExports(exports) ?? main ?? 'index.js';
}

const CONDITIONS = new Set(['node', 'import', 'module-sync', 'default']);

/** The entry "." under the conditions of an import in Node. The order is the package's. */
export function resolveExports(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (Array.isArray(exports)) {
    return exports.map(resolveExports).find((found) => found !== undefined);
  }
  if (typeof exports !== 'object' || exports === null) return undefined;
  const map = exports as Readonly<Record<string, unknown>>;
  if ('.' in map) return resolveExports(map['.']);
  for (const [condition, target] of Object.entries(map)) {
    const found = CONDITIONS.has(condition) ? resolveExports(target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
