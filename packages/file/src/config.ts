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

/** Nothing: all local folders are one destination, and each replica has a folder of its own. */
export interface FileConfig {
  readonly type: 'file';
}

export const schema: ConfigSchema<FileConfig & { readonly path: string }> = z
  .strictObject({
    path: text('the folder; relative to where Sluice was started; ~ is the home folder', {
      example: '/backup/app',
      check: problemWithFolder,
    }),
  })
  .transform(({ path }) => ({ type: 'file', path: resolve(expandHome(path)) }));

/** `file:///folder`, percent signs and all as they stand, as Litestream reads it. */
export function configFromURL({ protocol, host, pathname }: URL): unknown {
  if (protocol !== 'file:') throw invalid('must begin with file:///');
  if (host !== '') {
    // Litestream takes the host for the first folder; URLs do not keep its letter case.
    const meant = `/${host}${pathname}`;
    throw invalid(`has a host (${host}): write file://${meant}, if you mean ${meant}`);
  }
  if (pathname === '' || pathname === '/') throw invalid('names no folder');
  return { path: pathname };
}

export function describe(_: FileConfig, path: string): DestinationDescription {
  return { target: `file://${path}`, folder: path };
}

/** Nobody means them in the name of a folder. */
const CONTROL = /\p{Cc}/u;

function problemWithFolder(path: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[0];
  if (scheme !== undefined) return `is a URL (${scheme}): write it under url`;
  if (path.includes('\0')) return 'holds a NUL character';
  if (CONTROL.test(path)) return 'holds a line break or another control character';
  if (/^~[^/]/.test(path)) return `${path}: only ~ and ~/… are understood`;
  return resolve(path) === '/' ? 'is the root of the file system' : undefined;
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
