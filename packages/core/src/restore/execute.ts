/**
 * Carries a plan out, newest file first, one after the other; a large file in ranges, by all
 * threads at once. The bytes of the small files that come next are fetched meanwhile.
 *
 * Memory: `fetchesMax` ranges and two portions of small files, each PORTION_BYTES or little more,
 * and one bit for each page.
 */

import { assert, ReplicationError } from '../error.ts';
import { createKernel, type Kernel } from '../kernel/kernel.ts';
import { decodeHeader, HEADER_SIZE_BYTES, lockPgno, type LTXHeader } from '../ltx/header.ts';
import { PAGE_HEADER_SIZE_BYTES } from '../ltx/page-frame.ts';
import { TRAILER_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileInfo, ReplicaClient } from '../replica/client.ts';
import { ChainCheck, nameOf } from './chain.ts';
import { Claims } from './claims.ts';
import { Crew } from './crew.ts';
import { LargeFileProof } from './large-file.ts';
import type { RestorePlan } from './plan.ts';
import { readRange } from './reading.ts';
import { Slots } from './slots.ts';
import {
  groupFiles,
  locateIndex,
  RangeCutter,
  readIndex,
  type RangePortion,
  type WholePortion,
} from './tasks.ts';

export interface ExecuteOptions {
  readonly client: ReplicaClient;
  readonly plan: RestorePlan;
  readonly descriptor: number;
  /** Resizes the output before pages are written. */
  readonly resize: (sizeBytes: number) => Promise<void>;
  readonly threads: number;
  /** Ranges that are fetched or decoded at once. */
  readonly fetchesMax: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

export interface Executed {
  /** Of the newest file. */
  readonly header: LTXHeader;
  readonly filesRead: number;
}

export async function execute(options: ExecuteOptions): Promise<Executed> {
  const newest = options.plan.files.at(-1);
  assert(newest !== undefined, 'a plan has files');
  const range = { start: 0, end: HEADER_SIZE_BYTES };
  const header = decodeHeader(await readRange(options.client, newest, range, options.signal));
  const { pageSize, commit } = header;
  const claims = Claims.forPages(commit);
  await options.resize(commit * pageSize);
  const { descriptor, threads } = options;
  const crew = new Crew(threads, { descriptor, pageSize, commit, claims: claims.buffer });
  try {
    const run = new Execution(options, crew, pageSize);
    await run.all();
    const missing = claims.firstFree(commit, lockPgno(pageSize));
    if (missing === undefined) return { header, filesRead: run.filesRead };
    throw new ReplicationError(
      'LTX_NOT_CONTIGUOUS',
      `page ${missing} of ${commit} is in none of the files that were read`,
    );
  } finally {
    await crew.close();
  }
}

type WholeBytes = readonly { readonly bytes: Uint8Array; readonly name: string }[];

class Execution {
  readonly #options: ExecuteOptions;
  readonly #crew: Crew;
  readonly #pageSize: number;
  readonly #kernel: Kernel = createKernel();
  readonly #chain = new ChainCheck();
  readonly #slots: Slots;
  readonly #fetched = new Map<WholePortion, Promise<WholeBytes>>();
  filesRead = 0;

  constructor(options: ExecuteOptions, crew: Crew, pageSize: number) {
    this.#options = options;
    this.#crew = crew;
    this.#pageSize = pageSize;
    this.#slots = new Slots(options.fetchesMax);
  }

  /** Ends at the first file, from the newest, that holds every page. */
  async all(): Promise<void> {
    const items = [...groupFiles(this.#options.plan.files.toReversed())];
    for (const [index, item] of items.entries()) {
      const next = items[index + 1];
      if (next !== undefined && 'kind' in next) this.#prefetch(next);
      const end = 'kind' in item ? await this.#whole(item) : await this.#large(item);
      if (end === 'base') return;
    }
  }

  #prefetch(portion: WholePortion): void {
    const fetched = Promise.all(
      portion.files.map(async (file) => ({
        bytes: await this.#fetch(file, 0, file.sizeBytes),
        name: nameOf(file),
      })),
    );
    fetched.catch(() => undefined); // it is awaited, and its failure told, when its turn comes
    this.#fetched.set(portion, fetched);
  }

  async #whole(portion: WholePortion): Promise<'base' | 'goes-on'> {
    if (!this.#fetched.has(portion)) this.#prefetch(portion);
    const files = (await this.#fetched.get(portion)) ?? [];
    this.#fetched.delete(portion);
    const work = await this.#crew.take();
    const done = await work({ kind: 'whole', files });
    assert(done.kind === 'whole', 'whole files are answered as such');
    for (const [index, known] of done.files.entries()) {
      const file = portion.files[index];
      assert(file !== undefined, 'each answer is of a file');
      this.filesRead += 1;
      if (this.#chain.add(file, known) === 'base') return 'base';
    }
    return 'goes-on';
  }

  async #large(file: LTXFileInfo): Promise<'base' | 'goes-on'> {
    const { client, signal, onBytes } = this.#options;
    const headerBytes = await this.#fetch(file, 0, HEADER_SIZE_BYTES);
    const proof = new LargeFileProof(file, headerBytes, this.#kernel, this.#pageSize);
    const large = await locateIndex(client, file, signal);
    const end = await this.#fetch(file, large.pagesEnd, large.indexStart);
    if (end.length !== PAGE_HEADER_SIZE_BYTES || end.some((byte) => byte !== 0)) {
      throw new ReplicationError('LTX_INVALID', `${nameOf(file)}: its pages have no end`);
    }
    proof.addRest(end);
    const cutter = new RangeCutter(large);
    const ranges = new Set<Promise<void>>();
    const start = async (portion: RangePortion): Promise<void> => {
      await this.#slots.take();
      ranges.add(this.#range(portion, proof));
    };
    try {
      for await (const bytes of readIndex(client, large, signal)) {
        onBytes(bytes.length);
        proof.addRest(bytes);
        for (const portion of cutter.push(bytes)) await start(portion);
      }
      for (const portion of cutter.finish()) await start(portion);
    } finally {
      await Promise.all(ranges);
    }
    const trailerStart = file.sizeBytes - TRAILER_SIZE_BYTES;
    const pageCount = proof.finish(await this.#fetch(file, trailerStart, file.sizeBytes));
    this.filesRead += 1;
    return this.#chain.add(file, { header: proof.header, pageCount });
  }

  async #range(portion: RangePortion, proof: LargeFileProof): Promise<void> {
    const place = proof.reserve();
    try {
      const bytes = await this.#fetch(portion.file, portion.start, portion.end);
      const work = await this.#crew.take();
      const done = await work({ kind: 'range', bytes });
      assert(done.kind === 'range', 'a range is answered as such');
      proof.add(place, done);
      this.#slots.free();
    } catch (error) {
      this.#slots.fail(error);
      throw error;
    }
  }

  async #fetch(file: LTXFileInfo, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const { client, onBytes, signal } = this.#options;
    const bytes = await readRange(client, file, { start, end }, signal);
    onBytes(bytes.length);
    return bytes;
  }
}
