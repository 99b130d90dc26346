/**
 * The configuration of a replica in a local folder.
 *
 *  key   meaning
 *  path  the folder; relative to where we were started; `~` is the home folder
 *  url   the same as file:///folder, percent signs and all as they stand, as Litestream reads it
 *  type  "file"; read by whoever chose this backend, as is `name`
 */

import { resolve } from 'node:path';

import { ConfigReader, expandHome, type ParsedConfig } from '@sluice/core/backend';

/** Nothing: all local folders are one destination, and each replica has a folder of its own. */
export interface FileConfig {
  readonly type: 'file';
}

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<FileConfig> {
  const reader = new ConfigReader('file', input);
  reader.ignore('name');
  reader.oneOf('type', ['file']);
  reader.exclusive('path', 'url');
  const folder = reader.has('url') ? readURL(reader) : readPath(reader);
  reader.finish();
  return { config: { type: 'file' }, path: resolve(expandHome(folder)) };
}

/** The input that YAML would give. A URL that is not right becomes an issue of `parseConfig`. */
export function configFromURL(url: URL): unknown {
  return { type: 'file', url: url.href };
}

/** Nobody means them in the name of a folder. */
const CONTROL = /\p{Cc}/u;

function readPath(reader: ConfigReader): string {
  const path = reader.requiredString('path');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[0];
  if (scheme !== undefined) reader.issue('path', `is a URL (${scheme}): write it under url`);
  if (path.includes('\0')) reader.issue('path', 'holds a NUL character');
  else if (CONTROL.test(path))
    reader.issue('path', 'holds a line break or another control character');
  if (/^~[^/]/.test(path)) reader.issue('path', `${path}: only ~ and ~/… are understood`);
  if (path !== '' && resolve(path) === '/') reader.issue('path', 'is the root of the file system');
  return path;
}

function readURL(reader: ConfigReader): string {
  const text = reader.requiredString('url');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'file:') {
    reader.issue('url', 'must begin with file:///');
    return '';
  }
  if (url.host !== '') {
    // Litestream takes the host for the first folder; URLs do not keep its letter case.
    const meant = `/${url.host}${url.pathname}`;
    reader.issue('url', `has a host (${url.host}): write file://${meant}, if you mean ${meant}`);
  }
  if (url.pathname === '' || url.pathname === '/') reader.issue('url', 'names no folder');
  return url.pathname;
}
