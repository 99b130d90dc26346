/**
 * Puts a destination to the test: one probe after the other, in a replica of its own, and removes
 * what it wrote. It ends with a report, whatever the destination does; only an abort ends it early,
 * and then too it removes what it wrote.
 *
 * `reach` first asks, reading, whether the place of the replica is there. Nothing is ever written,
 * deleted or mended at that place itself: a replicator may be at work there.
 */

import { randomBytes } from 'node:crypto';

import { isError } from '../error.ts';
import type { Destination } from './backend.ts';
import { NOISE_BYTES, ProbeBytes } from './check-bytes.ts';
import { PART_BYTES_DEFAULT, PROBES, type ProbeContext } from './check-probes.ts';
import {
  failed,
  judgeDeletion,
  notJudged,
  skip,
  works,
  type CheckReport,
  type FeatureReport,
} from './check-report.ts';
import { CheckSite, nameOf, sitePath } from './check-site.ts';
import { sleep, systemClock, type Clock } from './clock.ts';

/** Removing is given up after so long: whoever waits for an aborted check waits for this too. */
const CLEAN_UP_MS_MAX = 15_000;
/** What was deleted may be listed for a moment: it is looked at so often, and so long between. */
const LOOKS_MAX = 3;
const LOOK_AGAIN_MS = 1_000;
const RANDOM_BYTES = 6;

export interface CheckOptions {
  /** The place, opened for writing. */
  readonly destination: Destination;
  /** The same, opened for reading: it makes no folder. Default: `destination`. */
  readonly reader?: Destination | undefined;
  /** Of the replica that is or will be there. */
  readonly path: string;
  /** Files above this go up in parts, where the destination has parts. Default 8 MiB. */
  readonly partBytes?: number | undefined;
  /** Told each verdict as it falls. */
  readonly onFeature?: ((report: FeatureReport) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: ((count: number) => Uint8Array) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects only with the signal's reason. Takes two whole parts up and down, and one part up twice. */
export async function checkDestination(options: CheckOptions): Promise<CheckReport> {
  const { destination, path, onFeature, signal } = options;
  const { partBytes = PART_BYTES_DEFAULT, clock = systemClock, random = randomBytes } = options;
  const site = new CheckSite({
    destination,
    path: sitePath(path, Buffer.from(random(RANDOM_BYTES)).toString('hex')),
    bytes: new ProbeBytes(random(NOISE_BYTES), new Date(clock.now())),
    now: () => performance.now(),
    signal,
  });
  const { capabilities } = destination;
  const context: ProbeContext = { site, partBytes, capabilities, figures: {} };
  const features: FeatureReport[] = [];
  const tell = (report: FeatureReport): void => {
    features.push(report);
    onFeature?.(report);
  };
  let left: readonly string[] = [];
  const place = await reach(options, site);
  tell(place.report);
  try {
    for (const { feature, sizeBytes, run } of PROBES) {
      const skipped = skip(feature, features, capabilities, sizeBytes(partBytes));
      tell(skipped ?? (await judged(feature, signal, () => run(context))));
    }
  } finally {
    const folders = place.isNew ? [site.path, path] : [site.path];
    const cleaned = await cleanUp(site, destination, folders, clock);
    left = cleaned.left;
    tell(cleaned.report);
  }
  signal?.throwIfAborted();
  return {
    destination: destination.name,
    path: site.path,
    features,
    figures: context.figures,
    left,
  };
}

async function judged(
  feature: FeatureReport['feature'],
  signal: AbortSignal | undefined,
  run: () => Promise<FeatureReport>,
): Promise<FeatureReport> {
  try {
    return await run();
  } catch (error) {
    signal?.throwIfAborted();
    return failed(feature, error);
  }
}

interface Reached {
  readonly report: FeatureReport;
  /** The folder of the replica is not there yet: probes make it, and it goes with them. */
  readonly isNew: boolean;
}

async function reach(options: CheckOptions, site: CheckSite): Promise<Reached> {
  const { destination, reader = destination, path, signal } = options;
  try {
    await look(reader, path, signal);
    await site.list('all');
    return { report: works('reach', `${destination.name} answers`), isNew: false };
  } catch (error) {
    signal?.throwIfAborted();
    if (isError(error, 'REPLICA_PERMISSION_DENIED')) {
      // It is there, and knows us; what else is denied is worth knowing too.
      const { seen } = failed('list', error);
      return { report: works('reach', `it answers; ${seen}`), isNew: false };
    }
    const above = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (isError(error, 'REPLICA_DESTINATION_NOT_FOUND') && above !== path) {
      const isThere = await look(reader, above, signal).then(
        () => true,
        () => false, // then what was said of the folder itself is what counts
      );
      signal?.throwIfAborted();
      if (isThere) return { report: works('reach', NOT_YET, MOUNT), isNew: true };
    }
    return { report: failed('reach', error), isNew: false };
  }
}

const NOT_YET = 'the folder is not there yet: the first write makes it';
const MOUNT = 'if a disk should be mounted there, mount it first';

/** Asks for the first file of a replica, and for no more. */
async function look(
  reader: Destination,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const _ of reader.replica(path).listFiles(0, { signal })) return;
}

/** Not by the caller's signal: what was written is removed also when that has aborted. */
async function cleanUp(
  site: CheckSite,
  destination: Destination,
  folders: readonly string[],
  clock: Clock,
): Promise<{ report: FeatureReport; left: readonly string[] }> {
  const { tried, written } = site;
  if (tried.length === 0) {
    return { report: notJudged('delete', 'nothing was written that could be deleted'), left: [] };
  }
  const signal = AbortSignal.timeout(CLEAN_UP_MS_MAX);
  let refused = await errorOf(() => site.deleteTried(signal));
  let left = await whatIsLeft(site, clock, signal);
  if (left?.length === 0 && refused === undefined) {
    const folder = await firstThatStays(destination, folders, signal);
    if (folder !== undefined) [refused, left] = [folder.error, [`the folder ${folder.path}`]];
  }
  const report = judgeDeletion({ written, error: refused, left });
  return { report, left: left ?? (refused === undefined ? [] : tried.map(nameOf)) };
}

/** Names of the files that are still listed; undefined where they cannot be listed. */
async function whatIsLeft(
  site: CheckSite,
  clock: Clock,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  try {
    for (let looks = 1; ; looks += 1) {
      const files = await site.list('all', { signal });
      if (files.length === 0 || looks === LOOKS_MAX) return files.map(nameOf);
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
  } catch {
    return undefined; // the verdict on `list` says why; this one says that it is not known
  }
}

/** Folders and markers, where a destination has such: a listing does not show them. */
async function firstThatStays(
  destination: Destination,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<{ path: string; error: unknown } | undefined> {
  for (const path of folders) {
    const error = await errorOf(async () => destination.removeEmpty?.(path, { signal }));
    if (error !== undefined) return { path, error };
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
