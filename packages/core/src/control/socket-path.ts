/**
 * Where the control socket of a staging folder is, and how to name it for the operating system.
 *
 * The address of a socket has room for 107 bytes (103 on macOS). Linux also accepts a longer path through
 * an open folder, as /proc/self/fd/N/socket.
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { ReplicationError } from '../error.ts';

const ADDRESS_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;

/** The folder of the socket. Only its owner may enter it. */
export function controlFolder(metaPath: string): string {
  return path.join(metaPath, 'control');
}

/** The socket of a staging folder. */
export function controlSocket(metaPath: string): string {
  return path.join(controlFolder(metaPath), 'socket');
}

/** A name of a socket that the operating system accepts, until it is closed. */
export interface SocketAddress {
  readonly path: string;
  close(): Promise<void>;
}

/** The folder of `file` must exist. STAGING_FAILED if its path is too long for this system. */
export async function openAddress(file: string): Promise<SocketAddress> {
  const sizeBytes = Buffer.byteLength(file);
  if (sizeBytes <= ADDRESS_BYTES_MAX) return { path: file, close: async () => undefined };
  if (process.platform !== 'linux') {
    throw new ReplicationError(
      'STAGING_FAILED',
      `name the control socket ${file}: its path has ${sizeBytes} bytes, and a socket at most ` +
        `${ADDRESS_BYTES_MAX}; give the database a shorter meta-path`,
    );
  }
  const folder = await fs.open(path.dirname(file), 'r');
  return {
    path: `/proc/self/fd/${folder.fd}/${path.basename(file)}`,
    close: () => folder.close(),
  };
}
