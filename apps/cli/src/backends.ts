/**
 * Which backends there are: ours by name, anybody's by the name of its package. Each is loaded only
 * when it is configured.
 *
 * A package is looked for from the folder of the configuration file, then from here. Its `exports`
 * are read by import conditions: `require.resolve` fails on packages that have import only.
 */

import fs from 'node:fs';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { nearest, ReplicationError, type Backend } from '@sluice/core/backend';

/** The kinds of destination that are ours, and the package of each. */
const OWN: Readonly<Record<string, string>> = { file: '@sluice/file', s3: '@sluice/s3' };
/** Kinds that Litestream has and we do not, yet or ever. */
const REFUSED: Readonly<Record<string, string>> = {
  gs: 'Google Cloud Storage comes with a later version',
  gcs: 'Google Cloud Storage comes with a later version',
  abs: 'Azure Blob Storage comes with a later version',
  sftp: 'SFTP comes with a later version',
  nats: 'NATS is not planned: a package of your own can add it (type: its name)',
  webdav: 'WebDAV is not planned: a package of your own can add it (type: its name)',
  oss: 'Alibaba OSS is not planned: its S3-compatible endpoint works with type s3',
};
/** The contract that this version speaks. */
const CONTRACT = 1;

export type AnyBackend = Backend<unknown>;

/** CONFIG_INVALID, with what to do, where there is no such backend. `from` is a folder. */
export async function loadBackend(type: string, from: string): Promise<AnyBackend> {
  const refused = REFUSED[type];
  if (refused !== undefined) throw invalid(`type "${type}": ${refused}`);
  const name = OWN[type] ?? type;
  if (OWN[type] === undefined && !isPackageName(type)) {
    const meant = nearest(type, Object.keys(OWN));
    const hint =
      meant === undefined ? `known are ${Object.keys(OWN).join(', ')}` : `did you mean ${meant}?`;
    throw invalid(`type "${type}" is not known: ${hint}; or the name of a package`);
  }
  const entry = findEntry(name, from);
  if (entry === undefined) {
    throw invalid(`type "${type}" needs the package ${name}: npm install ${name}`);
  }
  const loaded = (await import(pathToFileURL(entry).href)) as { backend?: AnyBackend };
  const { backend } = loaded;
  if (typeof backend?.connect !== 'function') {
    throw invalid(`the package ${name} is no backend: it exports no "backend"`);
  }
  if (backend.contract !== CONTRACT) {
    const theirs = String(backend.contract);
    throw invalid(
      `the package ${name} speaks contract ${theirs}, we speak ${CONTRACT}: install another version`,
    );
  }
  return backend;
}

/** "s3" of s3://…; the package and the URL of `@acme/x+https://…`. */
export function splitURL(text: string): { type: string; url: URL } {
  const packaged = /^(@[^/]+\/[^+]+|[a-z][a-z0-9._-]*)\+(.+:\/\/.*)$/.exec(text);
  const [, type, rest] = packaged ?? [];
  const written = rest ?? text;
  if (!URL.canParse(written))
    throw invalid(`"${text}" is no URL: write s3://bucket/path or file:///folder`);
  const url = new URL(written);
  return { type: type ?? url.protocol.slice(0, -1), url };
}

function isPackageName(type: string): boolean {
  return /^@[a-z0-9-~][a-z0-9-._~]*\/[a-z0-9-~][a-z0-9-._~]*$/.test(type) || type.includes('-');
}

function findEntry(name: string, from: string): string | undefined {
  for (const base of [pathToFileURL(path.join(from, 'sluice.yml')).href, import.meta.url]) {
    let found: string | undefined;
    try {
      found = findPackageJSON(name, base);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    }
    if (found !== undefined) return path.join(path.dirname(found), entryOf(found));
  }
  return undefined;
}

interface Manifest {
  readonly exports?: unknown;
  readonly main?: string;
}

function entryOf(file: string): string {
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as Manifest;
  return importCondition(manifest.exports) ?? manifest.main ?? 'index.js';
}

/** The file of "." under the conditions import, node, default. */
function importCondition(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const map = exports as Record<string, unknown>;
  for (const key of ['.', 'import', 'node', 'default']) {
    if (!(key in map)) continue;
    const found = importCondition(map[key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
