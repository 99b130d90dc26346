/**
 * One database through several rounds of SIGKILL: an application with a ledger and a replicator with two
 * destinations. In some rounds an actor injects another fault (actors/).
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { pickActor, type ActorName, type NamedActor } from './actors/actors.ts';
import { beginningOf, reportedOf, type HostEvent } from './events.ts';
import { crossCheck, verifyRestore } from './verify.ts';
import { installNextEra } from './next-era.ts';
import { Setup } from './setup.ts';

const FIRST_REPORT_MS_MAX = 10_000;
/** Share of the rounds in which our restore is compared with Litestream's. */
const CROSS_CHECK_SHARE = 0.1;
/** Share of the rounds after which folders are copied, for actors that put a copy back. */
const COPY_SHARE = 0.2;
const SYMLINK_SHARE = 0.15;
const SMALL_VOLUME_SHARE = 0.2;
/** Allowed after the application was killed: it may have died during its own checkpoint. */
const KILLED_CHECKPOINT = 'but not by a completed checkpoint';

export interface EpochOptions {
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Litestream's binary to compare restores with. */
  readonly crossCheck?: string | undefined;
  /** The only actor, in every round. */
  readonly actor?: ActorName | undefined;
  /** Maximum wait for replication to recover; shorter than usual for a planted error. */
  readonly timeoutMs?: number | undefined;
}

export interface RoundReport {
  readonly broken: string | undefined;
  /** The actor of the round, if any. */
  readonly actor: ActorName | undefined;
  readonly story: readonly string[];
  /** Age at the kill of the last report, for the healthy destination with the oldest one. */
  readonly reportAgeMs: number;
  /** How replication continued if the start found a WAL with frames, else undefined. */
  readonly beginning: string | undefined;
}

export class Epoch {
  readonly #options: EpochOptions;
  readonly #random: Random;
  readonly #setup: Setup;
  #round = 0;

  constructor(folder: string, options: EpochOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    const isFull = options.actor === 'full disk' || random.chance(SMALL_VOLUME_SHARE);
    this.#setup = new Setup(
      {
        folder,
        src: options.src,
        timeoutMs: options.timeoutMs,
        path: random.chance(SYMLINK_SHARE) ? 'symlink' : 'plain',
        stagingVolume: isFull ? 'small' : 'plain',
      },
      random,
    );
  }

  async round(): Promise<RoundReport> {
    const setup = this.#setup;
    const random = this.#random;
    this.#round += 1;
    setup.beginRound();
    await setup.application.order({ kind: 'resume' });
    await applicationAlone(setup, this.#round);
    const actor = this.#round === 1 ? undefined : pickActor(random, this.#options.actor);
    let broken = actor?.when === 'stopped' ? await this.#act(actor) : undefined;
    const hasSurvived = this.#round > 1 && setup.hasLog;
    if (setup.replicator === undefined) setup.startReplicator();
    await sleep(setup.application.isRunning ? 0 : random.int(0, 600)); // it may start before the application
    await setup.application.start(random.int(0, 2 ** 31));
    if (random.chance(0.92)) await this.#firstReport();
    if (actor?.when === 'running') broken ??= await this.#act(actor);
    await sleep(random.int(0, 1000));
    if (random.chance(0.15)) {
      await setup.application.kill();
      await sleep(random.int(0, 200));
    }
    const killedAt = Date.now();
    const dying = [setup.killReplicator()];
    if (random.chance(0.65)) dying.push(setup.application.kill());
    await Promise.all(dying);
    const { events } = setup;
    broken ??= this.#checkEvents(events);
    if (setup.mayBeMixed) await this.#replaceMixture();
    broken ??= this.#checkApplication() ?? (await this.#verifyAll());
    if (random.chance(COPY_SHARE))
      setup.copies.keep([setup.staging, ...setup.destinations.map(folderOf)]);
    return {
      broken: broken && [actor?.name, ...setup.story, broken].filter(Boolean).join(': '),
      actor: actor?.name,
      story: [...setup.story],
      reportAgeMs: killedAt - this.#oldestReport(events),
      beginning: hasSurvived && actor === undefined ? beginningOf(events) : undefined,
    };
  }

  async end(): Promise<void> {
    await this.#setup.end();
  }

  // --- steps of a round -------------------------------------------------------------------------

  async #act(actor: NamedActor): Promise<string | undefined> {
    for (const code of actor.allowedErrors) this.#setup.allowedErrors.add(code);
    return await actor.act(this.#setup);
  }

  /** Waits for a first report about every healthy destination, up to FIRST_REPORT_MS_MAX. */
  async #firstReport(): Promise<void> {
    const { sound } = this.#setup;
    await this.#setup.waitForEvents(
      (events) =>
        this.#checkEvents(events) !== undefined ||
        sound.every((index) => reportedOf(events, index) !== undefined),
      FIRST_REPORT_MS_MAX,
    );
  }

  // --- verification of a round ------------------------------------------------------------------

  #oldestReport(events: readonly HostEvent[]): number {
    const ages = this.#setup.sound.map((index) => reportedOf(events, index)?.at ?? 0);
    return Math.min(...ages);
  }

  #checkEvents(events: readonly HostEvent[]): string | undefined {
    const failure = events.find((event) => event.kind === 'error' && !this.#isAllowed(event));
    return failure && `the replicator reported: ${failure.code} ${failure.message}`;
  }

  #isAllowed({ code = '', message = '' }: HostEvent): boolean {
    const { allowedErrors, application } = this.#setup;
    return (
      allowedErrors.has(code) || (application.wasKilled && message.includes(KILLED_CHECKPOINT))
    );
  }

  /** Replaces a database that SQLite itself has mixed from two files. */
  async #replaceMixture(): Promise<void> {
    const { application } = this.#setup;
    await application.kill();
    const isMixed = application.sawCorruption || this.#setup.live().kind === 'unsound';
    if (isMixed) await installNextEra(this.#setup);
  }

  #checkApplication(): string | undefined {
    const { application, random } = this.#setup;
    if (application.takeCorruption()) return 'the application found its database corrupt';
    if (!random.chance(CROSS_CHECK_SHARE)) return undefined;
    const live = this.#setup.live();
    return live.kind === 'sound' ? undefined : `the live database: ${live.why}`;
  }

  async #verifyAll(): Promise<string | undefined> {
    const { folder, destinations, claims } = this.#setup;
    const attempted = this.#setup.readAttempted();
    const { crossCheck: binary } = this.#options;
    for (const [index, destination] of destinations.entries()) {
      const restored = {
        folder: destination.folder,
        output: path.join(folder, `restored-${index}.db`),
      };
      const damage = claims.damageOf(index);
      let why = await verifyRestore({ ...restored, reported: claims.of(index), attempted, damage });
      if (why === undefined && binary !== undefined && this.#random.chance(CROSS_CHECK_SHARE)) {
        why = damage === 'none' ? crossCheck(binary, restored) : undefined;
      }
      if (why !== undefined) return `destination ${index}: ${why}`;
    }
    return undefined;
  }
}

function folderOf({ folder }: { readonly folder: string }): string {
  return folder;
}

/** Sometimes runs the application for a while before the replicator starts. */
export async function applicationAlone(setup: Setup, round: number): Promise<void> {
  const { application, random } = setup;
  const isAlone = round === 1 || random.chance(application.isRunning ? 0.4 : 0.15);
  if (!isAlone) return;
  await application.start(random.int(0, 2 ** 31));
  await sleep(random.int(0, 400));
  if (random.chance(0.7)) {
    const mode = random.pick(['RESTART', 'TRUNCATE', 'FULL'] as const);
    await application.order({ kind: 'checkpoint', mode });
  }
  await sleep(random.int(0, 100));
  if (round > 1 && random.chance(0.2)) await application.kill();
}
