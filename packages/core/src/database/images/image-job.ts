/** Makes one full snapshot of a followed database, in a temporary file. */

import { setImmediate as yieldToTicks } from 'node:timers/promises';
import { assert, ReplicationError } from '../../error.ts';
import type { ChecksumTable } from '../checksums/checksum-table.ts';
import { CollectedChecksums } from '../checksums/collected.ts';
import { type FileIdentity, headerOf } from '../cut/encode.ts';
import type { WrittenImage } from '../cut/publisher.ts';
import { spareBytes } from '../staging/room.ts';
import { type CopyHost, type DatabaseContext, type FrozenState, FuzzyCopy } from './fuzzy-copy.ts';
import { ImagePages } from './image-pages.ts';

export class ImageJob {
  readonly copy: FuzzyCopy<ImagePages>;
  /** Checksums of the pages, if they are wanted; complete once it is written. */
  readonly table: ChecksumTable | undefined;
  readonly #context: DatabaseContext;
  readonly #host: CopyHost;

  /** See FuzzyCopy.begin. */
  static begin(
    context: DatabaseContext,
    host: CopyHost,
    { name, table }: { readonly name: string; readonly table: ChecksumTable | undefined },
  ): ImageJob {
    const { database, kernel, options, staging } = context;
    const { connections } = database;
    const newPages = (): ImagePages =>
      new ImagePages(
        {
          kernel,
          pageSize: connections.pageSize,
          encoding: options.pageEncoding,
          read: (into, position) => connections.readFile(into, position),
          table,
        },
        { copy: staging.scratch(`${name}-copy`), frames: staging.scratch(`${name}-frames`) },
      );
    return new ImageJob(context, host, FuzzyCopy.begin(context, host, newPages), table);
  }

  private constructor(
    context: DatabaseContext,
    host: CopyHost,
    copy: FuzzyCopy<ImagePages>,
    table: ChecksumTable | undefined,
  ) {
    this.#context = context;
    this.#host = host;
    this.copy = copy;
    this.table = table;
  }

  /** Writes the frozen image to a temporary file, fsynced. */
  async write(
    identity: FileIdentity,
    state: FrozenState,
    times: Pick<WrittenImage, 'since' | 'asOf'>,
  ): Promise<WrittenImage> {
    const { maxTXID: txid, minTXID, pageSize, commit, lineage, timestampMs } = identity;
    const { kernel, staging } = this.#context;
    const name = minTXID === txid ? 'image' : 'snapshot';
    const temporary = staging.temporary(`${name}-${txid}`);
    const collected = new CollectedChecksums(undefined, kernel);
    const chunks = this.#chunks(identity, state, collected);
    const sizeBytes = await staging.write(temporary, chunks, 'image');
    const { fileChecksum } = collected;
    const of = { pageSize, commit, lineage, timestampMs, fileChecksum };
    return { txid, temporary, sizeBytes, ...of, ...times };
  }

  async *#chunks(
    identity: FileIdentity,
    { remaining }: FrozenState,
    collected: CollectedChecksums,
  ): AsyncGenerator<Uint8Array, void> {
    const readRemaining = (pgno: number, into: Uint8Array): void => {
      const page = remaining.get(pgno);
      assert(page !== undefined, 'pages beyond the copy were read when the image was frozen');
      into.set(page);
    };
    for (const chunk of this.copy.pages.merge(headerOf(identity), readRemaining)) {
      if (!this.#host.isOpen) {
        throw new ReplicationError(
          'STAGING_FAILED',
          'the full snapshot was canceled because the database was closed',
        );
      }
      this.copy.recordProgress();
      const copied = chunk.slice(); // ticks reuse the kernel memory
      collected.chunk(copied);
      yield copied;
      await yieldToTicks();
    }
  }
}

/** Throws STAGING_FULL if the staging folder may not use as much space as the database takes. */
export async function requireImageRoom({ database, staging }: DatabaseContext): Promise<void> {
  const need = database.connections.fileSizeBytes();
  const spare = spareBytes(await staging.room());
  if (need <= spare) return;
  throw new ReplicationError(
    'STAGING_FULL',
    `make a full snapshot of a database of ${need} bytes in ${staging.folder}: ` +
      `only ${Math.max(0, Math.floor(spare))} bytes may be used, because a tenth of the volume stays ` +
      'reserved; free some space there, or set meta-path',
  );
}
