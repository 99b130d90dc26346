/** Loads a backend by its type: a short name for our own, a package name for all others. */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { resolve } from 'import-meta-resolve';
import { isError, messageOf, ReplicationError, type Backend } from '@sluice/core/backend';
import { nearest, parseURL } from '@sluice/core/config';
import { isOwnType, OWN_PACKAGES } from './backends.ts';
import { bareURL } from './secrets.ts';
import { hasControlCharacter } from './control-characters.ts';
import { refusalOf } from './support.ts';
import { REFUSED_TYPES } from './litestream.ts';

/** The contract version that this version of Sluice supports. */
const CONTRACT = 1;

export type AnyBackend = Backend<unknown>;

/**
 * CONFIG_INVALID, with advice, if there is no such backend. Packages are resolved from `folder` (of
 * the configuration), then from this file.
 */
export async function loadBackend(type: string, folder: string): Promise<AnyBackend> {
  const refused = REFUSED_TYPES[type];
  if (refused !== undefined) throw invalid(`type ${type}: ${refusalOf(refused)}`);
  if (!isOwnType(type) && !isPackageName(type)) throw unknownType(type);
  const name = OWN_PACKAGES[type] ?? type;
  const entry = findPackage(name, folder);
  if (entry === undefined) {
    throw invalid(`type ${type} needs the package ${name}: run "npm install ${name}" in ${folder}`);
  }
  return check(await load(name, entry), name);
}

/** The URL that `import` resolves to; undefined if the package does not exist. */
function findPackage(name: string, folder: string): string | undefined {
  for (const from of [pathToFileURL(path.join(folder, 'from.js')).href, import.meta.url]) {
    try {
      return resolve(name, from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') continue;
      throw unloadable(name, error);
    }
  }
  return undefined;
}

async function load(name: string, entry: string): Promise<{ readonly backend?: AnyBackend }> {
  try {
    return (await import(entry)) as { backend?: AnyBackend };
  } catch (error) {
    throw unloadable(name, error);
  }
}

function unloadable(name: string, error: unknown): ReplicationError {
  const message = `load the package ${name}: ${messageOf(error)}; install another version, or report it to its author`;
  return new ReplicationError('CONFIG_INVALID', message, { cause: error });
}

function check({ backend }: { readonly backend?: AnyBackend }, name: string): AnyBackend {
  if (typeof backend?.connect !== 'function') {
    throw invalid(`the package ${name} is not a backend: it has no export named backend`);
  }
  const contract: number = backend.contract;
  if (contract === CONTRACT) return complete(backend, name);
  const wanted = contract > CONTRACT ? 'a newer sluice' : `a newer ${name}`;
  throw invalid(
    `the package ${name} implements contract ${contract}, but this sluice needs contract ${CONTRACT}: install ${wanted}`,
  );
}

/** A package without types may lack parts of the contract. */
function complete(backend: Partial<AnyBackend>, name: string): AnyBackend {
  const { schema, describe, fromURL } = backend;
  const missing = [
    ...(typeof schema?.['~standard'].jsonSchema?.input === 'function' ? [] : ['schema']),
    ...(typeof describe === 'function' ? [] : ['describe']),
    ...(typeof fromURL === 'function' ? [] : ['fromURL']),
  ];
  if (missing.length === 0) return backend as AnyBackend;
  throw invalid(
    `the backend of the package ${name} has no ${missing.join(', no ')}: install a newer ${name}, or report it to its author`,
  );
}

/** The prefix distinguishes packages without a scope from mistyped types. */
function isPackageName(type: string): boolean {
  return /^(@[a-z0-9~-][\w.~-]*\/[a-z0-9~-][\w.~-]*|sluice-[\w.~-]+)$/.test(type);
}

function unknownType(type: string): ReplicationError {
  if (type === 'http' || type === 'https') {
    const how = `for an S3 server write s3://bucket/path?endpoint=${type}://host`;
    return invalid(`unknown type ${type}: ${how}`);
  }
  const known = Object.keys(OWN_PACKAGES);
  const suggestion = nearest(type, known);
  const hint =
    suggestion === undefined
      ? `the types are ${known.join(', ')}, and packages (@scope/name, sluice-…)`
      : `did you mean ${suggestion}? A package is written as @scope/name or sluice-…`;
  return invalid(`unknown type ${type}: ${hint}`);
}

/** Splits `s3://…` or `@acme/sluice-http+https://…` into type and URL. */
export function splitURL(text: string): { readonly type: string; readonly url: URL } {
  // The URL parser silently removes these characters, which would change the URL.
  if (hasControlCharacter(text) || text !== text.trim()) {
    throw invalid(`${JSON.stringify(bareURL(text))} contains a line break, or spaces around it`);
  }
  const [, name, rest] =
    /^(@[^/+]+\/[^/+]+|sluice-[^/+:]+)\+([a-z][a-z0-9+.-]*:.*)$/s.exec(text) ?? [];
  const written = rest ?? text;
  try {
    const url = parseURL(written);
    return { type: name ?? url.protocol.slice(0, -1), url };
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const hint = path.isAbsolute(text) ? `: for this folder, write file://${text}` : '';
    throw invalid(
      `"${bareURL(text)}" is not a URL such as s3://bucket/path or file:///folder${hint}`,
    );
  }
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
