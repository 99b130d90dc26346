/** What a backend and its vendor's SDK are both told to do. */

export const CHUNK_BYTES = 1_048_576;
/** Which one listing has to tell. */
export const SMALL_FILES = 10_000;
/** Of the replica. */
export const ROOT = 'bench';

export interface MoveOrder {
  /** Up, down what went up, or list, five times each; or fill with what is to be listed. */
  readonly task: 'up' | 'down' | 'fill' | 'list';
  /** What goes up: the file; or one MiB of memory again and again, so that only the way itself costs some. */
  readonly from: 'file' | 'memory';
  readonly file: string;
  readonly way: 'ours' | 'plain';
  readonly input: Readonly<Record<string, unknown>>;
}

export interface Moved {
  /** The median. */
  readonly ms: number;
  /** Peak of resident memory, above that before the first byte. */
  readonly memoryMiB: number;
}

/** One thing done with a file, or with many. */
export interface Way {
  up(run: number): Promise<void>;
  /** The bytes are counted and dropped, but for the SFTP library, which writes them to a file. */
  down(run: number): Promise<number>;
  /** How many files of level 0 there are, with their sizes and times, in one pass. */
  list(): Promise<number>;
  close(): Promise<void>;
}

export async function count(body: AsyncIterable<Uint8Array | string>): Promise<number> {
  let came = 0;
  for await (const chunk of body) came += chunk.length;
  return came;
}
