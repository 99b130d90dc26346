/**
 * Keeps the young generation of V8's heap small. By default it doubles up to 32 MiB or more while a
 * process loads its modules. Garbage collections are then rare, and the buffers of a body, which lie
 * outside of the heap, pile up until one comes: 100 MiB in a download of 256 MiB, 30 MiB with this
 * setting (BENCHMARKS.md, backends). Little of what we allocate survives, so frequent collections are
 * cheap, and a download even gets faster.
 *
 * A restore of thousands of small files is different: the SDK allocates about 300 KiB for each request,
 * and a fifth of the processor time went into collections. It has more room (`growYoungGeneration`), and so has the
 * start of many databases.
 */

import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of both semi-spaces. Initially it is 1 MiB. */
const YOUNG_BYTES: number = 8 * 1024 * 1024;
/** For few steps from the initial size to YOUNG_BYTES. */
const GROWTH_FACTOR = 4;
/** V8 grows the young generation when this much has survived; a few dozen rounds of 100 KiB are enough. */
const ROUNDS_MAX = 200;
const OBJECTS_PER_ROUND = 2_000;

/** Call before the modules of a command are loaded. Applies to later threads too. */
export function limitYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Grows the young generation of this thread to YOUNG_BYTES, in a few milliseconds, and limits it to that.
 * V8 has no setting for its size in a process that runs.
 */
export function growYoungGeneration(): void {
  setFlagsFromString(`--semi-space-growth-factor=${GROWTH_FACTOR}`);
  let survivors: object[] = [];
  for (let round = 0; round < ROUNDS_MAX && youngBytes() < YOUNG_BYTES; round++) {
    survivors = [];
    for (let count = 0; count < OBJECTS_PER_ROUND; count++) survivors.push([count]);
  }
  limitYoungGeneration();
}

/**
 * Collects the old generation when it has grown by GROWTH_PERCENT. By default V8 lets it double or more before, and does
 * not give back what the start of many databases has used: with 150 of them 323 MiB instead of 234, for the same
 * processor time. Call before the modules of a command are loaded.
 */
export function limitOldGeneration(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}

const GROWTH_PERCENT = 20;

function youngBytes(): number {
  const spaces = getHeapSpaceStatistics();
  return spaces.find(({ space_name: name }) => name === 'new_space')?.space_size ?? YOUNG_BYTES;
}
