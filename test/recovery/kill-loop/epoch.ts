/**
 * One database through some rounds of SIGKILL: an application with a ledger, a replicator with two
 * destinations, and what becomes of them between one start and the next. In some rounds an actor
 * does what machines and people do besides (actors/).
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { pickActor, type ActorName, type NamedActor } from './actors/actors.ts';
import { beginningOf, reportedOf, type HostEvent } from './events.ts';
import { crossCheck, judge } from './judge.ts';
import { putNextEra } from './next-era.ts';
import { Setup } from './setup.ts';

const FIRST_REPORT_MS_MAX = 10_000;
/** Rounds in which what we restore is compared with what Litestream restores. */
const CROSS_CHECKS = 0.1;
/** Rounds after which copies are kept of folders, for an actor that puts one back. */
const COPIES = 0.2;
const SYMLINKS = 0.15;
const SMALL_VOLUMES = 0.2;
/** Of an application that is killed in the middle of a checkpoint nobody can say who wrote to the file. */
const KILLED_CHECKPOINT = 'but not by a completed checkpoint';

export interface EpochOptions {
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Litestream's binary to compare restores with. */
  readonly crossCheck?: string | undefined;
  /** This actor acts in every round, and no other. */
  readonly actor?: ActorName | undefined;
  /** How long to wait until all is well again; for a planted error less than usual. */
  readonly patienceMs?: number | undefined;
}

export interface RoundReport {
  readonly broken: string | undefined;
  /** Who acted, if anybody. */
  readonly actor: ActorName | undefined;
  readonly story: readonly string[];
  /** Age of the last report at the kill, of the oldest such report among sound destinations. */
  readonly reportAgeMs: number;
  /** How the start went on that found a log with frames; undefined where there was none. */
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
    const isFull = options.actor === 'full disk' || random.chance(SMALL_VOLUMES);
    this.#setup = new Setup(
      {
        folder,
        src: options.src,
        patienceMs: options.patienceMs,
        path: random.chance(SYMLINKS) ? 'symlink' : 'plain',
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
    await setup.application.order({ kind: 'go' });
    await applicationAlone(setup, this.#round);
    const actor = this.#round === 1 ? undefined : pickActor(random, this.#options.actor);
    let broken = actor?.when === 'stopped' ? await this.#act(actor) : undefined;
    const hasSurvived = this.#round > 1 && setup.hasLog;
    if (setup.replicator === undefined) setup.startReplicator();
    await sleep(setup.application.isRunning ? 0 : random.int(0, 600)); // it may come up alone, first
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
    broken ??= this.#judgeEvents(events);
    if (setup.mayBeMixed) await this.#replaceMixture();
    broken ??= this.#judgeApplication() ?? (await this.#judgeAll());
    if (random.chance(COPIES))
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

  // --- what happens in a round ------------------------------------------------------------------

  async #act(actor: NamedActor): Promise<string | undefined> {
    for (const code of actor.mayReport) this.#setup.mayReport.add(code);
    return await actor.act(this.#setup);
  }

  /** Until every sound destination has been reported of; or not, where that takes too long. */
  async #firstReport(): Promise<void> {
    const { sound } = this.#setup;
    await this.#setup.untilTold(
      (events) =>
        this.#judgeEvents(events) !== undefined ||
        sound.every((index) => reportedOf(events, index) !== undefined),
      FIRST_REPORT_MS_MAX,
    );
  }

  // --- what is said of it -----------------------------------------------------------------------

  #oldestReport(events: readonly HostEvent[]): number {
    const ages = this.#setup.sound.map((index) => reportedOf(events, index)?.at ?? 0);
    return Math.min(...ages);
  }

  #judgeEvents(events: readonly HostEvent[]): string | undefined {
    const failure = events.find((event) => event.kind === 'error' && !this.#mayReport(event));
    return failure && `the replicator said: ${failure.code} ${failure.message}`;
  }

  #mayReport({ code = '', message = '' }: HostEvent): boolean {
    const { mayReport, application } = this.#setup;
    return mayReport.has(code) || (application.wasKilled && message.includes(KILLED_CHECKPOINT));
  }

  /** What SQLite itself has made of two files is nobody's fault. */
  async #replaceMixture(): Promise<void> {
    const { application } = this.#setup;
    await application.kill();
    const isMixed = application.sawCorruption || this.#setup.live().kind === 'unsound';
    if (isMixed) await putNextEra(this.#setup);
  }

  #judgeApplication(): string | undefined {
    const { application, random } = this.#setup;
    if (application.takeCorruption()) return 'the application found its database corrupt';
    if (!random.chance(CROSS_CHECKS)) return undefined;
    const live = this.#setup.live();
    return live.kind === 'sound' ? undefined : `the live database: ${live.why}`;
  }

  async #judgeAll(): Promise<string | undefined> {
    const { folder, destinations, claims } = this.#setup;
    const tried = this.#setup.readTried();
    const { crossCheck: binary } = this.#options;
    for (const [index, destination] of destinations.entries()) {
      const place = {
        folder: destination.folder,
        output: path.join(folder, `restored-${index}.db`),
      };
      const damage = claims.damageOf(index);
      let why = await judge({ ...place, reported: claims.of(index), tried, damage });
      if (why === undefined && binary !== undefined && this.#random.chance(CROSS_CHECKS)) {
        why = damage === 'none' ? crossCheck(binary, place) : undefined;
      }
      if (why !== undefined) return `destination ${index}: ${why}`;
    }
    return undefined;
  }
}

function folderOf({ folder }: { readonly folder: string }): string {
  return folder;
}

/** Before the replicator starts: the application goes on alone, or not at all. */
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
