/** The optional actors of one run. See actors/optional.ts for what they may change. */

import { defaultMetaPath } from '../../packages/core/src/replicate/replicate.ts';
import { Driller } from './actors/driller.ts';
import { Follower } from './actors/follower.ts';
import { drawActors, drawInterval, generatorsOf, type OptionalActor } from './actors/optional.ts';
import { Broken } from './claims.ts';
import type { Core } from './ports/core.ts';
import { verifyMerging } from './merging.ts';
import { MARKER } from './secrecy.ts';
import type { World } from './world.ts';
import { Writers } from './writers.ts';

export interface OptionalActorsInput {
  readonly world: World;
  readonly core: Core;
  readonly seed: number;
  readonly folder: string;
  /** Exactly these. Otherwise they are drawn. */
  readonly actors?: readonly OptionalActor[] | undefined;
}

/** A follower lists everything each minute, and waits for up to half a minute after failures. */
const FOLLOWED_MS_MAX = 600_000;
const FOLLOWER_STEP_MS = 5_000;

export class OptionalActors {
  readonly #world: World;
  readonly #follower: Follower | undefined;
  readonly #driller: Driller | undefined;
  readonly #isMerging: boolean;
  readonly #writers: Writers | undefined;

  /** Before the run begins. */
  constructor({ world, core, seed, folder, actors }: OptionalActorsInput) {
    this.#world = world;
    const generators = generatorsOf(seed);
    const { random, intervals, writers } = generators;
    const drawn = drawActors(generators, actors);
    const { time, truth, buckets, disk, promises, claims, application } = world;
    const input = {
      ...{ core, time, random, truth, folder, buckets },
      note: (what: string) => world.note(what),
      onBroken: (error: unknown) => {
        world.errors.push(error instanceof Error ? error : new Error(String(error)));
      },
    };
    if (drawn.has('intervals')) {
      for (const bucket of buckets) bucket.snapshotIntervalMs = drawInterval(intervals);
      const written = buckets.map((bucket) => `${bucket.name} ${bucket.snapshotIntervalMs}`);
      world.note(`snapshot intervals: ${written.join(', ')}`);
    }
    const encrypted = random.pick(buckets);
    if (drawn.has('encryption')) {
      encrypted.isEncrypted = true;
      application.marker = MARKER;
      world.note(`${encrypted.name} is encrypted`);
    }
    if (drawn.has('follower')) {
      this.#follower = new Follower(input);
      world.note(`a follower ${this.#follower.description}`);
    }
    this.#isMerging = drawn.has('merging');
    if (drawn.has('drill')) {
      const live = { path: world.path, metaPath: defaultMetaPath(world.path) };
      this.#driller = new Driller({ ...input, disk, promises, claims, live });
    }
    if (drawn.has('writers')) {
      const onLine = (level: string, message: string): void => world.log(level, message);
      this.#writers = new Writers({ world, core, random: writers, folder, onLine });
    }
  }

  /** They do something, or nothing. */
  async step(): Promise<void> {
    this.#follower?.step();
    this.#writers?.keepCopy();
    const { isOpen, wasReplaced } = this.#world.application;
    // A drill that compares opens the database in another process, which needs its locks.
    await this.#driller?.step(isOpen && !wasReplaced ? 'open' : 'closed');
  }

  /** Everything works and is complete. */
  async finish(): Promise<void> {
    if (this.#isMerging) await verifyMerging(this.#world);
    if (this.#follower !== undefined) await this.#catchUp(this.#follower);
    await this.#driller?.drillAll();
    this.#follower?.end();
    await this.#writers?.run();
  }

  end(): void {
    this.#writers?.end();
    this.#follower?.end();
  }

  async #catchUp(follower: Follower): Promise<void> {
    const { time } = this.#world;
    const end = time.nowMs + FOLLOWED_MS_MAX;
    while (!follower.isCurrent()) {
      if (time.nowMs > end) {
        // Only times tell which of two histories is newer.
        if (time.wasWrong && follower.trouble === 'older') return;
        throw new Broken('warm copy', `it does not catch up: ${follower.trouble ?? 'no trouble'}`);
      }
      follower.restart();
      await this.#world.pass(FOLLOWER_STEP_MS);
    }
    this.#world.note('the follower holds the newest state');
  }
}
