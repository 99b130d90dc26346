/**
 * Compares destinations by the states that each promises and can restore, and copies to each what it lacks from
 * one that has it (plan.ts). Safe while a replicator runs: nothing is deleted, a missing file is written only if
 * its name is free, and a damaged one is replaced only by verified bytes.
 *
 * A source that turns out to be damaged is no source any more, and the plan is made again.
 */

import { systemClock, type Clock } from '../clock.ts';
import { isError, messageOf } from '../error.ts';
import type { RetentionPolicy } from '../history/retention-policy.ts';
import { createKernel, type Kernel } from '../kernel/kernel.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { OpenReplica } from '../replicate/destination/sender.ts';
import type { LastSent } from '../replicate/record.ts';
import type { LTXFileRef } from '../store/layout.ts';
import { BadSourceError, copyFile } from './copy-file.ts';
import type { Examined } from './examine.ts';
import { conflictsOf, groupsOf, nameOf, type ExaminedFile } from './histories.ts';
import { inspectAll, type InspectedDestination } from './inspect.ts';
import { isInPart, type Part } from './parts.ts';
import { planRepair, type DestinationPlan, type FileCopy, type LostStates } from './plan.ts';
import { toDamaged, type DamagedFile, type RepairedFile, type RepairReport } from './report.ts';

/** A destination to examine and to refill. */
export interface RepairTarget {
  readonly name: string;
  /** What it keeps; undefined: everything. */
  readonly policy: RetentionPolicy | undefined;
  /**
   * What the replicator of this host sent there last: newer files are sent by it. `emptyRoot` says whether an empty
   * folder may be a disk that is not mounted.
   */
  readonly sent: LastSent | undefined;
  readonly open: (signal: AbortSignal | undefined) => Promise<OpenReplica>;
}

/** Options of a repair. Destinations are refilled from each other. */
export interface RepairOptions {
  /** With names that differ. */
  readonly destinations: readonly RepairTarget[];
  readonly mode: 'mend' | 'dry-run';
  /** What is read whole. `ends`: only small files, files that differ, and suspects. */
  readonly read: 'ends' | 'all' | Part;
  /** Whether a file may be damaged, so that it is read whole. */
  readonly isSuspect?: ((file: LTXFileRef) => boolean) | undefined;
  /** Called after each file that was examined or copied. */
  readonly onProgress?:
    | ((done: { readonly examined: number; readonly copied: number }) => void)
    | undefined;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Each plan after the first is made because a source was damaged. Then another source is tried. */
const PLANS_MAX = 5;

/** Destinations that do not answer are in the report. Rejects only with the reason of the signal. */
export async function repair(options: RepairOptions): Promise<RepairReport> {
  return await new Repair(options).run();
}

type Inspected = InspectedDestination<RepairTarget>;

/** What was done at one destination. */
interface Work {
  lacking: number;
  readonly damaged: DamagedFile[];
  readonly copies: RepairedFile[];
  readonly failures: DamagedFile[];
  /** Nothing more is written to it after an error. */
  hasFailed: boolean;
}

class Repair {
  readonly #options: RepairOptions;
  readonly #kernel: Kernel = createKernel();
  readonly #work = new Map<string, Work>();
  #inspected: readonly Inspected[] = [];
  #examined = 0;
  #bytesRead = 0;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  async run(): Promise<RepairReport> {
    const { destinations, signal } = this.#options;
    const { inspected, unanswered } = await inspectAll(
      destinations.map((given) => {
        const { name, sent, open } = given;
        return { given, name, emptyRoot: sent?.emptyRoot, open };
      }),
      {
        depthOf: (file) => (isReadWhole(file, this.#options) ? 'whole' : 'end'),
        kernel: this.#kernel,
        onExamined: (file) => {
          this.#examined += 1;
          if (isReadWhole(file, this.#options)) this.#bytesRead += file.sizeBytes;
          this.#report();
        },
        signal,
      },
    );
    this.#inspected = inspected;
    for (const { name, files } of inspected) {
      const damaged = files.flatMap(toDamagedOnly);
      this.#work.set(name, { lacking: 0, damaged, copies: [], failures: [], hasFailed: false });
    }
    const conflicts = conflictsOf(inspected);
    const groups = groupsOf(
      inspected.map(({ name, files, given }) => ({ name, files, lineage: given.sent?.lineage })),
      conflicts,
    );
    let { plans, lost } = this.#plan(groups);
    for (const plan of plans) this.#workOf(plan.name).lacking = plan.lacking.length;
    for (let made = 1; await this.#mend(plans); made += 1) {
      ({ plans, lost } = this.#plan(groups));
      if (made < PLANS_MAX) continue;
      this.#giveUp(plans);
      break;
    }
    const planOf = new Map(plans.map((plan) => [plan.name, plan]));
    return {
      destinations: this.#inspected.map(({ name, files }) => {
        const { hasFailed: _, ...work } = this.#workOf(name);
        const { copies } = work;
        const plan = planOf.get(name);
        return {
          name,
          files: files.length,
          ...work,
          stillDamaged: this.#stillDamaged(files, copies),
          unread: files.filter(({ found }) => found.kind === 'unread').flatMap(toDamaged),
          stuckAt: plan?.stuckAt,
        };
      }),
      lost,
      conflicts,
      groups,
      unanswered,
      bytesRead: this.#bytesRead,
    };
  }

  /** One plan for each group of destinations with the same history. */
  #plan(groups: readonly (readonly string[])[]): {
    readonly plans: DestinationPlan[];
    readonly lost: LostStates[];
  } {
    const { clock = systemClock } = this.#options;
    const inGroups = new Set(groups.flat());
    const others = this.#inspected
      .filter(({ name }) => !inGroups.has(name))
      .map(({ name }) => name);
    // Without a usable file a destination belongs to the only history there is, or to none.
    const all = groups.length > 1 ? [...groups, others] : [[...groups.flat(), ...others]];
    const plans = all.map((names) => {
      const members = this.#inspected.filter(({ name }) => names.includes(name));
      return planRepair(members.map(toPlanned), clock.now());
    });
    return {
      plans: plans.flatMap(({ destinations }) => destinations),
      lost: plans.flatMap(({ lost }) => lost),
    };
  }

  /** Resolves with true if a source was damaged: then another plan is needed. */
  async #mend(plans: readonly DestinationPlan[]): Promise<boolean> {
    const outcomes = await Promise.all(plans.map(async (plan) => this.#mendOne(plan)));
    return outcomes.includes(true);
  }

  async #mendOne({ name, copies }: DestinationPlan): Promise<boolean> {
    const { mode } = this.#options;
    const work = this.#workOf(name);
    let needsPlan = false;
    for (const copy of copies) {
      if (work.hasFailed) break;
      if (mode === 'dry-run')
        work.copies.push(toRepaired(copy, copy.from[0] ?? '', copy.file.sizeBytes));
      else if ((await this.#copy(name, copy)) === 'damaged source') needsPlan = true;
    }
    return needsPlan;
  }

  async #copy(name: string, copy: FileCopy): Promise<'done' | 'damaged source'> {
    const { signal } = this.#options;
    const { file, reason } = copy;
    const work = this.#workOf(name);
    const to = this.#find(name);
    let outcome: 'done' | 'damaged source' = 'done';
    for (const source of copy.from) {
      const from = this.#find(source).replica;
      try {
        const kernel = this.#kernel;
        const copied = await copyFile({ file, reason, from, to: to.replica, kernel, signal });
        if (copied.kind === 'copied') {
          this.#bytesRead += copied.sizeBytes;
          work.copies.push(toRepaired(copy, source, copied.sizeBytes));
        }
        this.#setFound(name, file, this.#foundAt(source, file));
        this.#report();
        return outcome;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof BadSourceError)) {
          const code = isError(error) ? error.code : 'REPLICA_UNKNOWN';
          work.failures.push({ file: toRef(file), code, why: messageOf(error) });
          work.hasFailed = true;
          return outcome;
        }
        this.#setFound(source, file, toFound(error));
        outcome = 'damaged source';
      }
    }
    return outcome;
  }

  #stillDamaged(
    files: readonly ExaminedFile[],
    copies: readonly RepairedFile[],
  ): RepairedFile['file'][] {
    const planned = new Set(copies.map(({ file }) => nameOf(file)));
    return files
      .filter((file) => file.found.kind === 'bad' && !planned.has(nameOf(file)))
      .map(toRef);
  }

  #giveUp(plans: readonly DestinationPlan[]): void {
    for (const { name, copies } of plans) {
      const { failures, hasFailed } = this.#workOf(name);
      if (hasFailed) continue; // the failure is listed
      for (const { file } of copies) {
        const why = 'its sources were damaged, one after another; run repair again with -read-data';
        failures.push({ file: toRef(file), code: 'RESTORE_DAMAGED', why });
      }
    }
  }

  #foundAt(name: string, file: LTXFileInfo): Examined {
    const { files } = this.#find(name);
    return files.find((each) => nameOf(each) === nameOf(file))?.found ?? UNKNOWN;
  }

  /** What is now known of a file, for the next plan. */
  #setFound(name: string, file: LTXFileInfo, found: Examined): void {
    if (found.kind === 'bad') this.#workOf(name).damaged.push(...toDamaged({ ...file, found }));
    this.#inspected = this.#inspected.map((destination) => {
      if (destination.name !== name) return destination;
      const others = destination.files.filter((each) => nameOf(each) !== nameOf(file));
      const known = destination.files.find((each) => nameOf(each) === nameOf(file));
      const isThere = found.kind !== 'gone';
      const next: ExaminedFile = { ...(known ?? file), found };
      return { ...destination, files: isThere ? [...others, next] : others };
    });
  }

  #find(name: string): Inspected {
    const found = this.#inspected.find((each) => each.name === name);
    if (found === undefined) throw new TypeError(`${name} was not inspected`);
    return found;
  }

  #workOf(name: string): Work {
    const work = this.#work.get(name);
    if (work === undefined) throw new TypeError(`${name} was not inspected`);
    return work;
  }

  #report(): void {
    let copied = 0;
    for (const { copies } of this.#work.values()) copied += copies.length;
    this.#options.onProgress?.({ examined: this.#examined, copied });
  }
}

const UNKNOWN: Examined = { kind: 'gone' };

function isReadWhole(file: LTXFileInfo, { read, isSuspect }: RepairOptions): boolean {
  if (isSuspect?.(file) === true) return true;
  if (read === 'ends') return false;
  return read === 'all' || isInPart(file, read);
}

function toFound({ code, message, cause }: BadSourceError): Examined {
  if (code === 'REPLICA_NOT_FOUND') return { kind: 'gone' };
  if (code.startsWith('LTX_')) return { kind: 'bad', code, why: message };
  return { kind: 'unread', code, why: messageOf(cause) };
}

function toDamagedOnly(file: ExaminedFile): DamagedFile[] {
  return file.found.kind === 'bad' ? toDamaged(file) : [];
}

function toPlanned({
  name,
  files,
  given: { policy, sent },
}: Inspected): Parameters<typeof planRepair>[0][number] {
  return { name, files, policy, sentUpTo: sent?.txid };
}

function toRepaired({ file, reason }: FileCopy, from: string, sizeBytes: number): RepairedFile {
  return { file: toRef(file), reason, from, sizeBytes };
}

function toRef({ level, minTXID, maxTXID }: LTXFileInfo): RepairedFile['file'] {
  return { level, minTXID, maxTXID };
}
