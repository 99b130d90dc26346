/** Lets time pass for two writers, checks them meanwhile, and waits for what must happen in time. */

import type { Writer } from './actors/writer.ts';
import { Broken } from './claims.ts';
import type { Terms } from './terms.ts';
import type { World } from './world.ts';

const TIMERS_PER_SECOND_MAX = 800;
const TIMERS_AT_ONCE = 4_000;
const STEP_MS = 250;

export class WritersWatch {
  writers: readonly Writer[] = [];
  readonly #world: World;
  readonly #terms: Terms;

  constructor(world: World, terms: Terms) {
    this.#world = world;
    this.#terms = terms;
  }

  ownsAll(writer: Writer | undefined): boolean {
    const process = writer?.replicator?.process;
    return (
      process !== undefined &&
      this.#world.buckets.every((bucket) => {
        const current = this.#terms.ownerOf(bucket);
        return current?.process === process && current.owner.lease?.state === 'held';
      })
    );
  }

  /** Whether it waits for the lease of every bucket. */
  waits({ isAwake, replicator }: Writer): boolean {
    if (!isAwake || replicator === undefined) return false;
    return replicator
      .status()
      .destinations.every(({ lastError }) => /holds a lease/.test(lastError?.message ?? ''));
  }

  async until(what: string, msMax: number, holds: () => boolean): Promise<void> {
    const { time } = this.#world;
    const end = time.nowMs + msMax;
    while (!holds()) {
      if (time.nowMs > end)
        throw new Broken('one writer', `not in ${msMax} ms: ${what}; ${this.#describe()}`);
      await this.pass(STEP_MS);
    }
  }

  #describe(): string {
    const facts = this.writers.map((writer) => {
      const status = writer.isAwake ? writer.replicator?.status() : undefined;
      const { state, error, destinations } = status ?? {};
      return { writer: writer.name, state, error, destinations };
    });
    return JSON.stringify(facts);
  }

  async pass(ms: number): Promise<void> {
    const { time, errors } = this.#world;
    const { fired, nowMs } = time;
    await time.advance(ms);
    const [error] = errors;
    if (error !== undefined) throw error;
    for (const { name, replicator } of this.writers) {
      if (replicator?.refusal === undefined) continue;
      throw new Broken('I4 continues', `${name} cannot start: ${replicator.refusal.message}`);
    }
    const count = time.fired - fired;
    if (count <= TIMERS_AT_ONCE + (TIMERS_PER_SECOND_MAX * (time.nowMs - nowMs)) / 1_000) return;
    throw new Broken('no busy loop', `${count} timers in ${Math.round(time.nowMs - nowMs)} ms`);
  }
}
