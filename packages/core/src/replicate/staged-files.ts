/**
 * What is staged of one database, for all its destinations: added as the engine makes it, freed when
 * no destination wants it any more, or when it is more than may be kept for the slowest.
 */

import fs from 'node:fs/promises';
import type { StagedEvent } from '../database/events.ts';
import type { Logger } from '../replica/backend.ts';
import { Backlog, toIncrement, type StagedIncrement, type StagedSnapshot } from './backlog.ts';
import { planRelease } from './budget.ts';
import type { SentRecords } from './record.ts';

/** A destination, as far as staging must know it. */
export interface Holder {
  readonly name: string;
  readonly releasableTXID: bigint;
  readonly replicatedTXID: bigint | undefined;
  readonly newestSnapshot: { readonly txid: bigint } | undefined;
  /** The snapshot that it refused last, where it refuses them. */
  readonly snapshotRefusal: { readonly txid: bigint } | undefined;
}

export interface StagedFilesContext {
  readonly records: SentRecords;
  readonly maxBytes: number;
  readonly logger: Logger;
  readonly report: (error: unknown) => void;
}

export class StagedFiles {
  readonly backlog: Backlog = new Backlog();
  readonly #context: StagedFilesContext;
  #snapshot: StagedSnapshot | undefined;
  /** Destinations of which it was said that they will be seeded anew. */
  readonly #givenUp = new Set<string>();
  #removing: Promise<void> = Promise.resolve();

  constructor(context: StagedFilesContext) {
    this.#context = context;
  }

  /** The newest snapshot, while a destination still wants it. */
  get snapshot(): StagedSnapshot | undefined {
    return this.#snapshot;
  }

  /** Of a database that was opened (again): snapshots of before are gone. */
  reset(files: readonly StagedIncrement[]): void {
    this.backlog.reset(files);
    this.#snapshot = undefined;
  }

  add(event: StagedEvent): void {
    if (event.content !== 'snapshot') {
      this.backlog.add(toIncrement(event));
      return;
    }
    const { lineage, pageSize, timestampMs, file } = event;
    const { path, sizeBytes, maxTXID: txid } = file;
    const before = this.#snapshot;
    this.#snapshot = { txid, path, sizeBytes, lineage, pageSize, timestampMs };
    if (before !== undefined) this.#remove([before.path]); // the new one will do
  }

  /** Of a file that was found to be gone: whoever wants it must be seeded in another way. */
  forget(path: string): void {
    this.backlog.forget(path);
    if (this.#snapshot?.path === path) this.#snapshot = undefined;
  }

  /** Frees what no destination wants, and what is too much to keep. */
  free(holders: readonly Holder[]): void {
    const plan = planRelease({
      files: this.backlog.files,
      maxBytes: this.#context.maxBytes,
      holders: holders.map(({ name, releasableTXID }) => ({ name, releasable: releasableTXID })),
    });
    const paths = this.backlog.release(plan.releaseTo).map((file) => file.path);
    if (paths.length > 0) this.#giveUp(plan.laggards, holders);
    if (this.#snapshot !== undefined && !isWanted(this.#snapshot.txid, holders)) {
      paths.push(this.#snapshot.path);
      this.#snapshot = undefined;
    }
    if (paths.length > 0) this.#remove(paths);
  }

  /** Resolves when all that was freed is removed. */
  async removed(): Promise<void> {
    await this.#removing;
  }

  /** Says it once of each, and again only if it has caught up in between. */
  #giveUp(laggards: readonly string[], holders: readonly Holder[]): void {
    const oldest = this.backlog.files[0]?.txid ?? 0n;
    for (const { name, releasableTXID } of holders) {
      if (releasableTXID + 1n >= oldest) this.#givenUp.delete(name);
    }
    const names = laggards.filter((name) => !this.#givenUp.has(name));
    if (names.length === 0) return;
    for (const name of names) this.#givenUp.add(name);
    this.#context.logger.warn(
      `staging is full: ${names.join(', ')} will be seeded anew by a snapshot`,
      { maxBytes: this.#context.maxBytes },
    );
  }

  #remove(paths: readonly string[]): void {
    this.#removing = this.#removing
      .then(async () => {
        await this.#context.records.save(); // what is freed is in the record
        for (const path of paths) {
          // A snapshot may have been made again at the same TXID.
          if (path !== this.#snapshot?.path) await fs.rm(path, { force: true });
        }
      })
      .catch(this.#context.report);
  }
}

/** Whether a destination lacks the snapshot, and may take it: as a base, or beside level 0. */
function isWanted(txid: bigint, holders: readonly Holder[]): boolean {
  return holders.some(
    ({ newestSnapshot, replicatedTXID, snapshotRefusal }) =>
      replicatedTXID === undefined ||
      ((newestSnapshot?.txid ?? 0n) < txid && (snapshotRefusal?.txid ?? 0n) < txid),
  );
}
