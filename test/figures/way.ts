/** The tasks of backends.bench.ts, for a backend and for its vendor's SDK alone. */

export const CHUNK_BYTES = 1_048_576;
/** Number of files in the listing task. */
export const SMALL_FILES = 10_000;
/** Root of the replica. */
export const ROOT = 'bench';

export interface MoveOrder {
  /** Upload, download or list, five times each; or write the files for the listing. */
  readonly task: 'up' | 'down' | 'fill' | 'list';
  /** Source of an upload: the file, or one repeated MiB, to measure only the memory of the upload. */
  readonly from: 'file' | 'memory';
  readonly file: string;
  readonly way: 'ours' | 'plain';
  readonly input: Readonly<Record<string, unknown>>;
}

export interface Moved {
  /** The median. */
  readonly ms: number;
  /** Peak resident memory above that before the first byte. */
  readonly memoryMiB: number;
}

/** An implementation of the tasks. */
export interface Way {
  up(run: number): Promise<void>;
  /** Counts and discards the bytes. Only the SFTP library writes them to a file. */
  down(run: number): Promise<number>;
  /** Number of files of level 0, listed with sizes and times. */
  list(): Promise<number>;
  close(): Promise<void>;
}

export async function count(body: AsyncIterable<Uint8Array | string>): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of body) sizeBytes += chunk.length;
  return sizeBytes;
}
