/**
 * Plans a restore over several sources with the same history. Pure.
 *
 * Of each name, the nearest source that has it is used: the order of the sources. The union of all names is
 * planned like one listing, so the plan exists if any files of any sources lead to the target. The longest
 * steps may all be at a distant source, although a near one has the same pages in an older snapshot and a few
 * smaller files. So the snapshot of each source is tried as the first file, and the cheapest plan is taken: the
 * cost of a file is its size times the latency of its source.
 */

import { describeFile } from '../../store/describe.ts';
import type { ReadSource } from '../options.ts';
import { planRestore, type PlanOptions, type PlanTarget, type RestorePlan } from '../plan/plan.ts';
import type { RestoreSource, SourcedFile } from '../plan/sources.ts';

/** Latencies below this are not told apart. */
const LATENCY_MS_MIN = 1;

/** As `planRestore`. `files`: nearest source first, each with all its files. */
export function planAcross(
  files: readonly SourcedFile[],
  target: PlanTarget,
  options: PlanOptions<SourcedFile> = {},
): RestorePlan<SourcedFile> {
  const names = new Set(files.map(({ source }) => source.name));
  if (names.size < 2) return planRestore(files, target, options);
  const isAvoided = options.isAvoided ?? (() => false);
  const nearest = nearestOfEachName(files, isAvoided);
  let best = planRestore(nearest, target, options);
  for (const name of names) {
    const plan = planFromBaseAt(name, files, nearest, best, options);
    if (plan !== undefined && costOf(plan) < costOf(best)) best = plan;
  }
  return best;
}

/** Size times latency, of all files. */
function costOf({ files }: Pick<RestorePlan<SourcedFile>, 'files'>): number {
  return files.reduce((sum, { sizeBytes, source }) => sum + sizeBytes * latencyOf(source), 0);
}

function latencyOf({ listedInMs = LATENCY_MS_MIN }: RestoreSource): number {
  return Math.max(LATENCY_MS_MIN, listedInMs);
}

/** One file per name. A name whose files are all avoided stays in the list, because it has been written once. */
function nearestOfEachName(
  files: readonly SourcedFile[],
  isAvoided: (file: SourcedFile) => boolean,
): SourcedFile[] {
  const byName = new Map<string, SourcedFile>();
  for (const file of files) {
    const name = describeFile(file);
    const known = byName.get(name);
    if (known === undefined || (isAvoided(known) && !isAvoided(file))) byName.set(name, file);
  }
  return [...byName.values()];
}

/** The same state from a snapshot of one source; undefined if its snapshots do not lead there. */
function planFromBaseAt(
  name: string,
  files: readonly SourcedFile[],
  nearest: readonly SourcedFile[],
  { txid }: RestorePlan<SourcedFile>,
  options: PlanOptions<SourcedFile>,
): RestorePlan<SourcedFile> | undefined {
  const bases = files.filter(({ minTXID, source }) => minTXID === 1n && source.name === name);
  if (bases.length === 0) return undefined;
  const steps = nearest.filter(({ minTXID }) => minTXID !== 1n);
  try {
    return planRestore([...bases, ...steps], { kind: 'txid', txid }, options);
  } catch {
    return undefined; // there is a plan already
  }
}

/** What these files are read from. Sources without a file are left out. */
export function readFromEach(
  sources: readonly RestoreSource[],
  files: readonly SourcedFile[],
): ReadSource[] {
  return sources.flatMap(({ name }) => {
    const own = files.filter(({ source }) => source.name === name);
    if (own.length === 0) return [];
    const sizeBytes = own.reduce((sum, file) => sum + file.sizeBytes, 0);
    return [{ source: name, files: own.length, sizeBytes }];
  });
}
