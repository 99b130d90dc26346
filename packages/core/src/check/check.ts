/**
 * Puts a destination to the test: one probe after the other, in a replica of its own, and removes
 * what it wrote. It ends with a report, whatever the destination does; only an abort ends it early,
 * and then too it removes what it wrote.
 *
 * `reach` first asks, reading, whether the place of the replica is there. Nothing is ever written,
 * deleted or mended at that place itself: a replicator may be at work there.
 */

import { randomBytes } from 'node:crypto';

import { isError, ReplicationError } from '../error.ts';
import type { Destination } from '../replica/destination.ts';
import type { Logger } from '../store/backend.ts';
import { NOISE_BYTES, ProbeBytes } from './bytes.ts';
import { cleanUp } from './clean-up.ts';
import { failed } from './errors.ts';
import { ProbeObjects } from './objects.ts';
import { PART_BYTES_DEFAULT, PROBES, type ProbeContext } from './probes.ts';
import {
  skip,
  works,
  type CheckProgress,
  type CheckReport,
  type Claims,
  type FeatureReport,
} from './report.ts';
import { CheckSite, sitePath } from './site.ts';
import { systemTimers, type TimerClock } from '../store/timers.ts';

const RANDOM_BYTES = 6;
/** A replicator waits for minutes; who asks whether it works does not. One silence is shorter. */
const REACH_MS_MAX = 40_000;

export interface CheckOptions {
  /** The place, opened for writing. */
  readonly destination: Destination;
  /** The same, opened for reading: it makes no folder. Default: `destination`. */
  readonly reader?: Destination | undefined;
  /** Of the replica that is or will be there. */
  readonly path: string;
  /** Files above this go up in parts, where the destination has parts. Default 8 MiB. */
  readonly partBytes?: number | undefined;
  /**
   * Opens the place once more, for writing. What an upload that is aborted there cannot remove is
   * told to the logger until it has closed. Without it `abort` is not judged.
   */
  readonly connect?: ((logger: Logger) => Promise<Destination>) | undefined;
  /** Who keeps the files, for a sentence. Default: "this destination". */
  readonly provider?: string | undefined;
  /** Told each verdict as it falls. */
  readonly onFeature?: ((report: FeatureReport) => void) | undefined;
  /** Told what is being done, as it begins and as bytes move. */
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
  readonly clock?: TimerClock | undefined;
  readonly random?: ((count: number) => Uint8Array) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects only with the signal's reason. Takes two whole parts up and down, and three parts up. */
export async function checkDestination(options: CheckOptions): Promise<CheckReport> {
  const { destination, path, onFeature, signal, connect } = options;
  const { partBytes = PART_BYTES_DEFAULT, clock = systemTimers, random = randomBytes } = options;
  const moving = new Moving(options.onProgress);
  const nonce = Buffer.from(random(RANDOM_BYTES)).toString('hex');
  const bytes = new ProbeBytes(random(NOISE_BYTES), new Date(clock.now()), moving.onBytes);
  const site = new CheckSite({
    destination,
    path: sitePath(path, nonce),
    bytes,
    now: () => performance.now(),
    signal,
  });
  const { capabilities } = destination;
  const objects = new ProbeObjects(destination.unsettled(site.path).objects, nonce, signal);
  const context: ProbeContext = { site, partBytes, capabilities, connect, objects, figures: {} };
  const features: FeatureReport[] = [];
  const tell = (report: FeatureReport): void => {
    features.push(report);
    onFeature?.(report);
  };
  let left: readonly string[] = [];
  moving.begin('reach');
  const reached = await reach(options, site);
  tell(reached.report);
  try {
    for (const { feature, sizeBytes, movesBytes, run } of PROBES) {
      moving.begin(feature, movesBytes?.(partBytes));
      const skipped = skip(feature, features, claimsOf(options), sizeBytes(partBytes));
      tell(skipped ?? (await judged(feature, signal, () => run(context))));
    }
  } finally {
    moving.begin('delete');
    const folders = reached.isNew ? [site.path, path] : [site.path];
    const cleaned = await cleanUp({ site, objects, reader: options.reader, folders, clock });
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

function claimsOf({ destination, provider = 'this destination' }: CheckOptions): Claims {
  return { capabilities: destination.capabilities, provider };
}

/** What is being done, as bytes move. What is sent again counts again, up to the whole. */
class Moving {
  readonly #onProgress: NonNullable<CheckOptions['onProgress']>;
  #now: CheckProgress = { feature: 'reach', doneBytes: 0, totalBytes: 0 };

  constructor(onProgress: CheckOptions['onProgress'] = () => undefined) {
    this.#onProgress = onProgress;
  }

  begin(feature: CheckProgress['feature'], totalBytes = 0): void {
    this.#now = { feature, doneBytes: 0, totalBytes };
    this.#onProgress(this.#now);
  }

  readonly onBytes = (count: number): void => {
    const { doneBytes, totalBytes } = this.#now;
    this.#now = { ...this.#now, doneBytes: Math.min(doneBytes + count, totalBytes) };
    this.#onProgress(this.#now);
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
  const { destination, reader = destination, path, signal: given } = options;
  const patience = AbortSignal.timeout(REACH_MS_MAX);
  const signal = given === undefined ? patience : AbortSignal.any([given, patience]);
  try {
    await look(reader, path, signal);
    await site.list('all', { signal });
    return { report: works('reach', `${destination.name} answers`), isNew: false };
  } catch (error) {
    given?.throwIfAborted();
    if (signal.aborted) return { report: failed('reach', silent(destination)), isNew: false };
    if (isError(error, 'REPLICA_PERMISSION_DENIED')) {
      // It is there, and knows us; what else is denied is worth knowing too.
      const { seen } = failed('list', error);
      return { report: works('reach', `it answers; ${seen}`), isNew: false };
    }
    if (isError(error) && error.isNew === true) {
      return { report: works('reach', NOT_YET, MOUNT), isNew: true };
    }
    return { report: failed('reach', error), isNew: false };
  }
}

function silent({ name }: Destination): ReplicationError {
  const message = `${name}: no answer in ${REACH_MS_MAX / 1_000} s`;
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
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
