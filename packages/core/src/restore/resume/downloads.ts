/**
 * The files of a restore that can be resumed. They are downloaded beside the output first, and stay there
 * until a restore has succeeded, so a later one downloads only the rest. Nothing in them is trusted: they are
 * verified like files of any destination.
 *
 * `.<name>-sluice-resume/<level>-<min>-<max>-<size>-<time of the upload>-<source>`: the name identifies the
 * file in a listing. Its bytes are the first ones of the file; it is complete if it has its whole size.
 *
 * A file of an encrypted destination is listed with another size than its bytes have, and cannot be read in parts. It
 * has `.part` after its name until it is complete.
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { assert } from '../../error.ts';
import { writeFully } from '../../file-io.ts';
import { isMissing } from '../../file-system.ts';
import { threadKernel } from '../../kernel/kernel.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { withOutputErrors } from '../output-target.ts';
import { sourcedFiles, type SourcedFile } from '../plan/sources.ts';
import { ReadAhead, type FileAccess } from '../read-ahead.ts';
import { toDownloadedFile } from './downloaded-files.ts';

/** What an interrupted restore had left. */
export interface Resumed {
  /** Bytes that need not be downloaded again. */
  readonly keptBytes: number;
  /** Files that are not part of this restore; they were removed. */
  readonly discardedFiles: number;
}

export interface DownloadOptions {
  readonly readsMax: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/** What is missing of a file. */
interface Rest {
  readonly file: SourcedFile;
  readonly offset: number;
  readonly sizeBytes: number;
}

const PART = '.part';

export class Downloads {
  readonly #folder: string;
  /** By name: downloaded by an earlier restore, so possibly not durable or not the same file after all. */
  readonly #kept = new Set<string>();
  readonly #originals = new Map<LTXFileInfo, SourcedFile>();

  /** `output`: a path from `findTarget`. */
  constructor(output: string) {
    this.#folder = resumeFolderOf(output);
  }

  /** Creates the folder, and removes what is not part of the plan. */
  async prepare(files: readonly SourcedFile[]): Promise<Resumed> {
    return await withOutputErrors(`create ${this.#folder}`, async () => {
      await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const wanted = new Set(files.map(nameOf));
      let [keptBytes, discardedFiles] = [0, 0];
      for (const name of await fs.readdir(this.#folder)) {
        const file = path.join(this.#folder, name);
        if (name.endsWith(PART) && wanted.has(name.slice(0, -PART.length))) continue; // is written again
        if (wanted.has(name)) {
          keptBytes += (await fs.stat(file)).size;
          this.#kept.add(name);
        } else {
          await fs.rm(file, { force: true });
          discardedFiles += 1;
        }
      }
      return { keptBytes, discardedFiles };
    });
  }

  /** Downloads what is missing. The result reads the files from this machine. */
  async fetch(
    files: readonly SourcedFile[],
    { readsMax, onBytes, signal }: DownloadOptions,
  ): Promise<SourcedFile[]> {
    const rests = await Promise.all(files.map((file) => this.#restOf(file)));
    const missing = rests.filter(({ sizeBytes }) => sizeBytes > 0);
    const reads = new ReadAhead(missing, { access, readsMax, signal });
    try {
      for (const rest of missing) await this.#download(rest, reads.read(rest), onBytes);
    } finally {
      await reads.close();
    }
    return await Promise.all(
      files.map(async (file) => {
        const name = path.join(this.#folder, nameOf(file));
        const sizeBytes = hasListedSize(file) ? file.sizeBytes : await sizeOf(name);
        const local = toDownloadedFile({ ...file, sizeBytes }, name);
        this.#originals.set(local, file);
        return local;
      }),
    );
  }

  /** The file that a result of `fetch` was downloaded from. */
  originalOf(file: LTXFileInfo): SourcedFile | undefined {
    return this.#originals.get(file);
  }

  /** Removes a damaged file. Returns whether it is worth another download. */
  async forget(suspects: readonly LTXFileInfo[]): Promise<'again' | 'damaged'> {
    let result: 'again' | 'damaged' = 'damaged';
    for (const suspect of suspects) {
      const name = nameOf(this.#originals.get(suspect) ?? (suspect as SourcedFile));
      await fs.rm(path.join(this.#folder, name), { force: true });
      if (this.#kept.delete(name)) result = 'again';
    }
    return result;
  }

  async #restOf(file: SourcedFile): Promise<Rest> {
    const { sizeBytes } = file;
    const name = path.join(this.#folder, nameOf(file));
    const size = await sizeOf(name);
    if (!hasListedSize(file)) return { file, offset: 0, sizeBytes: size > 0 ? 0 : sizeBytes };
    if (size === sizeBytes) return { file, offset: size, sizeBytes: 0 };
    if (size < sizeBytes && sourcedFiles.canReadRanges(file)) {
      return { file, offset: size, sizeBytes: sizeBytes - size };
    }
    await fs.rm(name, { force: true });
    return { file, offset: 0, sizeBytes };
  }

  /** At fixed positions: a second restore to the same output writes the same bytes. */
  async #download(
    { file, offset }: Rest,
    chunks: AsyncIterable<Uint8Array>,
    onBytes: (count: number) => void,
  ): Promise<void> {
    const complete = path.join(this.#folder, nameOf(file));
    const name = hasListedSize(file) ? complete : `${complete}${PART}`;
    const what = `download ${describeFile(file)} to ${name}`;
    const handle = await withOutputErrors(what, async () => await openForWriting(name));
    try {
      let at = offset;
      for await (const chunk of chunks) {
        await withOutputErrors(what, async () => await writeFully(handle, chunk, at));
        at += chunk.length;
        onBytes(chunk.length);
      }
      const isWhole = !hasListedSize(file) || at === file.sizeBytes; // `chunks` has all bytes, or fails
      assert(isWhole, 'the source returned all bytes');
      if (name !== complete) await withOutputErrors(what, async () => await handle.truncate(at));
    } finally {
      await handle.close();
    }
    if (name !== complete) await withOutputErrors(what, async () => await finish(name, complete));
  }
}

/** Removes what interrupted restores to this output have left. */
export async function removeDownloads(output: string): Promise<void> {
  await fs.rm(resumeFolderOf(output), { recursive: true, force: true });
}

function resumeFolderOf(output: string): string {
  return path.join(path.dirname(output), `.${path.basename(output)}-sluice-resume`);
}

function nameOf({ level, minTXID, maxTXID, sizeBytes, modifiedAt, source }: SourcedFile): string {
  const place = threadKernel().crc64(Buffer.from(source.name)).toString(16);
  const range = `${formatTXID(minTXID)}-${formatTXID(maxTXID)}`;
  return `${level}-${range}-${sizeBytes}-${modifiedAt.getTime()}-${place}`;
}

/** Whether the size of its bytes is the one in the listing. */
function hasListedSize({ source: { client } }: SourcedFile): boolean {
  return client.encrypted === undefined;
}

async function finish(part: string, complete: string): Promise<void> {
  try {
    await fs.rename(part, complete);
  } catch (error) {
    if (!isMissing(error)) throw error; // a second restore to the same output was faster
  }
}

/** Reads the rests of files as if they were files. */
const access: FileAccess<Rest> = {
  describe: ({ file }) => describeFile(file),
  canReadRanges: ({ file }) => sourcedFiles.canReadRanges(file),
  async open({ file, offset }, { range, signal }) {
    const start = offset + (range?.start ?? 0);
    const end = range?.end === undefined ? file.sizeBytes : offset + range.end;
    const isWhole = start === 0 && end === file.sizeBytes;
    const part = isWhole ? undefined : { start, end };
    const opened = await file.source.client.openFile(file, { range: part, signal });
    return { ...opened, sizeBytes: opened.sizeBytes - offset };
  },
};

async function sizeOf(file: string): Promise<number> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

async function openForWriting(file: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(file, 'r+');
  } catch (error) {
    if (!isMissing(error)) throw error;
    return await fs.open(file, 'w+', 0o600);
  }
}
