/** Removes what a check has written, and tells what stays. */

import { judgeDeletion, NOTHING_WRITTEN } from './judge.ts';
import type { ProbeObjects } from './objects.ts';
import { notJudged, type FeatureReport } from './report.ts';
import type { CheckSite } from './site.ts';
import { isError } from '../error.ts';
import type { Destination } from '../replica/destination.ts';
import { sleep } from '../store/abort.ts';
import type { TimerClock } from '../store/timers.ts';

/** Removing is given up after so long: whoever waits for an aborted check waits for this too. */
const CLEAN_UP_MS_MAX = 15_000;
/** What was deleted may be listed for a moment: it is looked at so often, and so long between. */
const LOOKS_MAX = 3;
const LOOK_AGAIN_MS = 1_000;

export interface CleanUp {
  readonly site: CheckSite;
  readonly objects: ProbeObjects;
  /** Opened for reading. A folder that it still finds was not removed. */
  readonly reader: Destination | undefined;
  /** Those that go with the files, where replicas are folders; the innermost first. */
  readonly folders: readonly string[];
  readonly clock: TimerClock;
}

export interface CleanedUp {
  readonly report: FeatureReport;
  /** Keys of what is still there, or may be. */
  readonly left: readonly string[];
}

/** Not by the caller's signal: the probes are removed also when that has aborted. */
export async function cleanUp(of: CleanUp): Promise<CleanedUp> {
  const { site, objects } = of;
  const signal = AbortSignal.timeout(CLEAN_UP_MS_MAX);
  const tried = [...site.tried.map((ref) => site.labelOf(ref)), ...objects.tried];
  if (tried.length === 0) {
    return { report: notJudged('delete', NOTHING_WRITTEN), left: [] };
  }
  const refusals = [
    await errorOf(() => site.deleteTried(signal)),
    await errorOf(() => objects.deleteTried(signal)),
  ];
  const error = refusals.find((refusal) => refusal !== undefined);
  const left = await whatIsLeft(of, signal);
  const written = site.written + objects.tried.length;
  const { path } = site;
  if (left?.length === 0 && error === undefined) {
    const folder = await firstThatStays(of, signal);
    if (folder !== undefined) {
      const stays = [`the folder ${folder}`];
      return { report: judgeDeletion({ path, written, error, left: stays }), left: stays };
    }
  }
  const report = judgeDeletion({ path, written, error, left });
  const stays = left ?? (error === undefined ? [] : tried);
  return { report, left: stays.map((label) => site.keyOf(label)) };
}

/** What is still listed, by its labels; undefined where it cannot be listed. */
async function whatIsLeft(
  { site, objects, clock }: CleanUp,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  try {
    for (let looks = 1; ; looks += 1) {
      const files = await site.list('all', { signal });
      const names = objects.tried.length === 0 ? [] : await objects.names(signal);
      const left = [...files.map((file) => site.labelOf(file)), ...names];
      if (left.length === 0 || looks === LOOKS_MAX) return left;
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
  } catch {
    return undefined; // the verdict on `list` says why; this one says that it is not known
  }
}

/** A folder is gone when a reader does not find it. A listing of files does not show it. */
async function firstThatStays(
  { reader, folders }: CleanUp,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (reader?.capabilities.folders !== true) return undefined;
  for (const path of folders) {
    const error = await errorOf(() => reader.replica(path).listFiles(0, { signal }).next());
    if (!isError(error, 'REPLICA_DESTINATION_NOT_FOUND')) return path;
  }
  return undefined;
}

async function errorOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}
