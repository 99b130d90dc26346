/** The configuration of a replica in a local folder. */

import { resolve } from 'node:path';
import {
  expandHome,
  ReplicationError,
  type ConfigSchema,
  type DestinationDescription,
} from '@sluice/core/backend';
import { text } from '@sluice/core/backend/config';
import { z } from 'zod';

/** Empty: all local folders are one destination, and the path belongs to the replica. */
export interface FileConfig {
  readonly type: 'file';
}

export const schema: ConfigSchema<FileConfig & { readonly path: string }> = z
  .strictObject({
    path: text('the folder; relative to the working directory; ~ is the home folder', {
      example: '/backup/app',
      check: problemWithFolder,
    }),
  })
  .transform(({ path }) => ({ type: 'file', path: resolve(expandHome(path)) }));

/** `file:///folder`. Percent signs are literal, as in Litestream. */
export function configFromURL({ protocol, host, pathname }: URL): unknown {
  if (protocol !== 'file:') throw invalid('must begin with file:///');
  if (host !== '') {
    // Litestream reads the host as the first folder, but URL parsing lowercases it.
    const path = `/${host}${pathname}`;
    throw invalid(`has a host (${host}): write file://${path}, if you mean ${path}`);
  }
  if (pathname === '' || pathname === '/') throw invalid('has no folder');
  return { path: pathname };
}

export function describe(_: FileConfig, path: string): DestinationDescription {
  return { target: `file://${path}`, folder: path };
}

function problemWithFolder(path: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[0];
  if (scheme !== undefined) return `is a URL (${scheme}): write it under url`;
  if (path.includes('\0')) return 'contains a NUL character';
  if (/\p{Cc}/u.test(path)) return 'contains a line break or another control character';
  if (/^~[^/]/.test(path)) return `${path}: only ~ and ~/… are supported`;
  return resolve(path) === '/' ? 'is the root of the file system' : undefined;
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
