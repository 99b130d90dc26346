/** Sends merged files to one destination, beside level 0, and never delays level 0. */

import { LEVEL_SNAPSHOT } from '../../../history/levels.ts';
import type { TXID } from '../../../ltx/txid.ts';
import type { FencedReplica } from '../../../replica/fencing.ts';
import type { StagedMerge } from '../../levels/merge-files.ts';
import { catchUp, levelFile, type NextInput, type SeedSource, type SeedWrite } from '../next.ts';
import { Sender, type SenderContext } from '../sender.ts';
import { isRefused, type StepResult, type UploadQueue } from '../upload-queue.ts';
import { planAll, stuckLevels } from '../../levels/wanted-merges.ts';

export interface LevelUploadsContext {
  readonly toQueue: (step: (signal: AbortSignal) => Promise<StepResult>) => UploadQueue;
  readonly sender: SenderContext;
  /** undefined until it is opened. */
  readonly replica: () => FencedReplica | undefined;
  /** undefined while the contents of the destination are not known. */
  readonly input: () => NextInput | undefined;
  readonly staged: () => readonly StagedMerge[];
}

export class LevelUploads {
  readonly queue: UploadQueue;
  readonly #context: LevelUploadsContext;
  readonly #sender: Sender;

  constructor(context: LevelUploadsContext) {
    this.#context = context;
    this.#sender = new Sender(context.sender);
    this.queue = context.toQueue((signal) => this.#step(signal));
  }

  /** Whether the destination refuses merged files. It is offered the next one all the same. */
  get isRefused(): boolean {
    return isRefused(this.queue.failingBeside);
  }

  /** Which of the staged files it needs. All of them, as long as its contents are not known. */
  needed(staged: readonly StagedMerge[]): readonly StagedMerge[] {
    const input = this.#context.input();
    if (input === undefined) return staged;
    return this.isRefused ? [] : neededMerges(input);
  }

  async #step(signal: AbortSignal): Promise<StepResult> {
    const replica = this.#context.replica();
    const input = this.#context.input();
    if (replica === undefined || input === undefined) return 'waiting';
    if (this.#sender.isVerifying) return await this.#sender.verifyListed(replica.client, signal);
    const next = nextLevelFile({ ...input, merges: this.#context.staged() });
    if (next === undefined) return this.isRefused ? 'waiting' : 'idle'; // a refusal stays known
    return await this.#sender.send(replica, next, signal);
  }
}

// --- which merged files; pure ---

/**
 * The next merged file, once level 0 has everything in it. A destination that is far behind gets merged files
 * in place of level 0 (`nextStep`).
 */
function nextLevelFile(input: NextInput): SeedWrite | undefined {
  const { view, merges } = input;
  if (view.chain !== 'ours' || view.seeding !== undefined) return undefined;
  if (catchUp(input) !== undefined) return undefined;
  const levels = new Set<number>();
  for (const file of planAll(view, merges).files) {
    const isFirst = !levels.has(file.level);
    levels.add(file.level);
    if (isFirst && file.maxTXID <= view.highest) return toWrite(file);
  }
  return undefined;
}

/** The staged merged files that the destination needs. */
function neededMerges(input: NextInput): readonly StagedMerge[] {
  const { view, snapshot, merges } = input;
  if (view.seeding !== undefined) return endingAfter(merges, view.seeding.txid);
  if (view.chain === 'ours') return (catchUp(input) ?? planAll(view, merges)).files;
  return snapshot === undefined ? [] : endingAfter(merges, snapshot.txid);
}

/** The staged snapshot as a file of a level that cannot continue otherwise. */
export function nextRepair({ view, snapshot, merges }: NextInput): SeedWrite | undefined {
  if (snapshot === undefined || snapshot.lineage !== view.lineage) return undefined;
  const { files } = view;
  if (files.topOf(LEVEL_SNAPSHOT) > snapshot.txid) return undefined;
  const level = stuckLevels(view, merges).find((stuck) => files.topOf(stuck) < snapshot.txid);
  if (level === undefined) return undefined;
  return { ref: levelFile(files, level, snapshot.txid), source: snapshot, need: 'optional' };
}

function endingAfter(merges: readonly StagedMerge[], txid: bigint): readonly StagedMerge[] {
  return merges.filter(({ maxTXID }) => maxTXID > txid);
}

export function toWrite(source: StagedMerge): SeedWrite {
  const { level, minTXID, maxTXID } = source;
  return { ref: { level, minTXID, maxTXID }, source, need: 'optional' };
}

/** A staged increment as a file of level 0. */
export function toLevelZero(source: SeedSource & { readonly txid: bigint }): SeedWrite {
  const txid = source.txid as TXID; // parsed from the name of a staged file
  return { ref: { level: 0, minTXID: txid, maxTXID: txid }, source, need: 'required' };
}
