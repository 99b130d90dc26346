/**
 * What happens in a chaos run, and when. One seed decides all of it. Pure. The timing of the processes is
 * not repeated.
 */

import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';

/** Destinations with a fault at one moment. The others must work. */
export const FAULTY_MAX = 2;

export const FAULT_KINDS = [
  'latency',
  'bandwidth',
  'slices',
  'resets',
  'no answers',
  'refused connections',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Index of the destination. */
  readonly destination: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** From 0 to 1; its meaning depends on the kind. */
  readonly strength: number;
  readonly stream: 'upstream' | 'downstream';
}

export interface Kill {
  readonly atMs: number;
  readonly victims: 'replicator' | 'replicator and application';
  /** 'after an answer': not before the replicator has confirmed something since its start. */
  readonly when: 'after an answer' | 'at any time';
  /** 'verify': before the next start each destination is restored. */
  readonly next: 'verify' | 'start at once';
  /** Of the application that is started afterwards. */
  readonly seed: number;
}

export interface Schedule {
  readonly faults: readonly Fault[];
  readonly kills: readonly Kill[];
}

const FAULT_MS_MIN = 1_000;
/** Longer than the time after which a silent request is given up. */
const FAULT_MS_MAX = 120_000;
/** The longest fault takes at most this share of a run, so that a short run has several. */
const FAULT_SHARE_MAX = 0.2;
const GAP_MS_MAX = 4_000;
const KILL_GAP_MS_MIN = 5_000;
const KILL_GAP_MS_MAX = 60_000;
const KILL_GAP_SHARE_MAX = 0.25;
const BOTH_SHARE = 0.3;
const ANY_TIME_SHARE = 0.2;
const VERIFY_SHARE = 0.7;

export function scheduleOf(seed: number, lengthMs: number, destinations: number): Schedule {
  const random = randomFrom(seed);
  const faults: Fault[] = [];
  for (let slot = 0; slot < FAULTY_MAX; slot++) {
    faults.push(...drawFaults(random, lengthMs, destinations, [...faults]));
  }
  return {
    faults: faults.toSorted((a, b) => a.fromMs - b.fromMs),
    kills: drawKills(random, lengthMs),
  };
}

/** Faults one after another, never at a destination that has one of `others` at that time. */
function drawFaults(
  random: Random,
  lengthMs: number,
  destinations: number,
  others: readonly Fault[],
): Fault[] {
  const longestMs = between(lengthMs * FAULT_SHARE_MAX, FAULT_MS_MIN * 2, FAULT_MS_MAX);
  const faults: Fault[] = [];
  for (let fromMs = random.int(0, GAP_MS_MAX); fromMs < lengthMs;) {
    // Most are short.
    const tookMs = FAULT_MS_MIN + Math.round((longestMs - FAULT_MS_MIN) * random.next() ** 3);
    const untilMs = Math.min(fromMs + tookMs, lengthMs);
    const free = Array.from({ length: destinations }, (_, index) => index).filter(
      (destination) =>
        !others.some(
          (other) =>
            other.destination === destination && other.fromMs <= untilMs && fromMs <= other.untilMs,
        ),
    );
    const drawn = {
      kind: random.pick(FAULT_KINDS),
      strength: random.next(),
      stream: random.pick(['upstream', 'downstream'] as const),
      fromMs,
      untilMs,
    };
    if (free.length > 0) faults.push({ ...drawn, destination: random.pick(free) });
    fromMs = untilMs + random.int(1, GAP_MS_MAX);
  }
  return faults;
}

function drawKills(random: Random, lengthMs: number): Kill[] {
  const gapMaxMs = between(lengthMs * KILL_GAP_SHARE_MAX, KILL_GAP_MS_MIN, KILL_GAP_MS_MAX);
  const kills: Kill[] = [];
  let atMs = 0;
  for (;;) {
    atMs += random.int(KILL_GAP_MS_MIN, gapMaxMs);
    if (atMs >= lengthMs) return kills;
    kills.push({
      atMs,
      victims: random.chance(BOTH_SHARE) ? 'replicator and application' : 'replicator',
      when: random.chance(ANY_TIME_SHARE) ? 'at any time' : 'after an answer',
      next: random.chance(VERIFY_SHARE) ? 'verify' : 'start at once',
      seed: random.int(0, 2 ** 31),
    });
  }
}

function between(value: number, least: number, most: number): number {
  return Math.round(Math.min(Math.max(value, least), most));
}

/** Milliseconds in which a destination has a fault. */
export function faultyMs(faults: readonly Fault[], destination: number): number {
  return faults
    .filter((fault) => fault.destination === destination)
    .reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0);
}
