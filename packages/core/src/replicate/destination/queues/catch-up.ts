/**
 * Brings a destination that was down up to date with few uploads.
 *
 * While it catches up, it gets merged files wherever there are any. Those of the top level go first. What is
 * then left are files of windows that are not over: up to 30 of level 0, ten of level 1, eleven of level 2. If they
 * are many, the windows end early, once for all destinations, and what it lacks becomes a file of each
 * level. Lower levels come first, so that the loss of resolution is as small as it can be.
 */

import type { Clock } from '../../../clock.ts';
import type { Compactor } from '../../levels/compactor.ts';
import type { Failing } from '../upload-queue.ts';
import { BEHIND_FILES, catchUp, type NextInput, type NextStep } from '../next.ts';

export interface CatchUpContext {
  readonly merged: Pick<Compactor, 'topLevel' | 'endWindows'>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** A destination that lacks at most this many files gets them as they are. */
const FILES_MAX = 10;
/** Windows end early at most this often, so that a slow destination does not make the files small. */
const ROUND_MS = 30_000;
/** The destination waits this long for merges, and then goes on with what there is. */
const HOLD_MS_MAX = 10_000;

export class CatchUp {
  readonly #context: CatchUpContext;
  #isOn = false;
  /** When windows last ended early for this destination. */
  #beganAt = -Infinity;
  /** Whether it waits for the merges of this round. */
  #isHolding = false;

  constructor(context: CatchUpContext) {
    this.#context = context;
  }

  /** Whether it is far behind, or was and still lacks more than a few files. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether the next step is to wait for merges. For a destination that is down, windows would end again and again. */
  holds(
    { kind }: Pick<NextStep, 'kind'>,
    input: NextInput,
    { failures }: Pick<Failing, 'failures'>,
  ): boolean {
    const { clock, merged } = this.#context;
    this.#note(input);
    const now = clock.monotonic();
    const isNew = now - this.#beganAt >= ROUND_MS;
    const isSending = failures === 0 && (kind === 'increment' || kind === 'merge');
    const mayEnd = this.#isOn && isSending && (isNew || this.#isHolding);
    const levels = mayEnd ? windowsToEnd(input, merged.topLevel) : [];
    if (levels.length > 0 && isNew) {
      this.#beganAt = now;
      this.#isHolding = true;
    }
    const isLate = now - this.#beganAt >= HOLD_MS_MAX;
    this.#isHolding &&= levels.length > 0 && !isLate && merged.endWindows(levels) === 'merging';
    return this.#isHolding;
  }

  #note({ view, head }: NextInput): void {
    const lacking = head - view.highest;
    if (lacking > BEHIND_FILES) this.#isOn = true;
    else if (lacking <= FILES_MAX) this.#isOn = false;
  }

  /** Time until it no longer waits; Infinity if it does not wait, or waits for something else as well. */
  get dueInMs(): number {
    const leftMs = this.#beganAt + HOLD_MS_MAX - this.#context.clock.monotonic();
    return this.#isHolding && leftMs > 0 ? leftMs : Infinity;
  }
}

/** The levels whose windows must end so that at most FILES_MAX files are left to send. Pure. */
function windowsToEnd(input: NextInput, topLevel: number): number[] {
  const { view, backlog, head } = input;
  const plan = catchUp(input);
  const files = plan?.files ?? [];
  if (files[0]?.level === topLevel) return []; // it takes a while to send, and then there is more to merge
  const reached = plan?.reached ?? view.highest;
  const isNextStaged = backlog.get(reached + 1n) !== undefined;
  const counts = [isNextStaged ? Number(head - reached) : 0];
  for (let level = 1; level < topLevel; level++) {
    counts.push(files.filter((file) => file.level === level).length);
  }
  let left = counts.reduce((sum, count) => sum + count, 0);
  const levels: number[] = [];
  for (let level = 1; level <= topLevel && left > FILES_MAX; level++) {
    const inputs = counts[level - 1] ?? 0;
    if (inputs <= 1) continue;
    levels.push(level);
    left -= inputs - 1; // the newest one is sent all the same
    if (level === topLevel) break;
    counts[level] = (counts[level] ?? 0) + 1;
    left += 1;
  }
  return levels;
}
