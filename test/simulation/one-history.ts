/**
 * What the destinations of two writers restore to: a state of one of the two at any time, and the newest one that
 * its owner says is there.
 */

import { Restorer } from './actors/restorer.ts';
import type { Writer } from './actors/writer.ts';
import { Broken } from './claims.ts';
import type { Bucket } from './ports/bucket.ts';
import type { Core } from './ports/core.ts';
import type { Terms } from './terms.ts';
import type { World } from './world.ts';

export interface OneHistoryInput {
  readonly world: World;
  readonly core: Core;
  readonly folder: string;
  readonly writers: readonly Writer[];
  readonly terms: Terms;
}

/** A state of a writer. */
interface Sent {
  readonly writer: Writer;
  readonly index: number;
}

const ROUNDING_MS = 2;

export class OneHistory {
  readonly #input: OneHistoryInput;
  readonly #restorer: Restorer;

  constructor(input: OneHistoryInput) {
    const { core, folder, writers } = input;
    const find = (hash: string) =>
      writers.map(({ ledger }) => ledger.find(hash)).find((state) => state !== undefined);
    this.#input = input;
    this.#restorer = new Restorer({ core, ledger: { find }, folder });
  }

  async verify(): Promise<void> {
    for (const bucket of this.#input.world.buckets) {
      await this.#verifyBucket(bucket, this.#confirmed(bucket));
    }
  }

  /** Every bucket has this state, or a newer one. */
  async verifyAll(sent: Sent): Promise<void> {
    for (const bucket of this.#input.world.buckets) await this.#verifyBucket(bucket, sent);
  }

  /** What the owner of a bucket says that it has there. */
  #confirmed(bucket: Bucket): Sent | undefined {
    const { terms, writers, world } = this.#input;
    const owner = terms.ownerOf(bucket);
    const writer = writers.find(({ replicator }) => replicator?.process === owner?.process);
    const { replicator } = writer ?? {};
    if (writer?.isAwake !== true || replicator === undefined) return undefined;
    const { facts } = replicator.status();
    const known = facts.destinations.find(({ name }) => name === bucket.name);
    const at = world.time.nowMs - (known?.confirmedAgeMs ?? 0);
    const isKnown = at > replicator.process.startedAt + ROUNDING_MS;
    if (known?.isCurrent !== true || !isKnown) return undefined;
    return { writer, index: writer.ledger.indexAt(at - ROUNDING_MS) };
  }

  async #verifyBucket(bucket: Bucket, sent: Sent | undefined): Promise<void> {
    const restored = await this.#restorer.restore(bucket, { kind: 'latest' });
    if (restored.kind === 'failed') throw new Broken('one history', restored.why);
    if (sent === undefined) return;
    const { writer, index } = sent;
    const state = writer.ledger.find(restored.hash);
    if (state !== undefined && state.index >= index) return;
    const found = state === undefined ? 'a state of the other one' : `its state ${state.index}`;
    const what = `${bucket.name}, which ${writer.name} owns and has sent state ${index} to`;
    throw new Broken('one history', `${what}, restores ${found} at TXID ${restored.txid}`);
  }
}
