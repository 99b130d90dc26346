/** Names of files, ranges and replicas in messages. */

import { formatFilename } from '../ltx/filename.ts';
import type { ByteRange } from './client.ts';
import type { LTXFileRef } from './layout.ts';

export function describeFile(file: LTXFileRef): string {
  return `level ${file.level} ${formatFilename(file.minTXID, file.maxTXID)}`;
}

export function describeRange(range: ByteRange | undefined): string {
  return range === undefined ? '' : ` bytes ${range.start} to ${range.end ?? 'the end'}`;
}

/** "s3://bucket" and "db" become "s3://bucket/db". */
export function describeReplica(destination: string, path: string): string {
  const slash = destination.endsWith('/') || path.startsWith('/') ? '' : '/';
  return path === '' ? destination : destination + slash + path;
}
