/**
 * Tests a destination: runs one probe after the other in a separate replica, and then deletes the files of
 * the probes. It always ends with a report. Only an abort ends it early; the files are deleted even then.
 *
 * `reach` first tries to read the real replica. The check never writes, deletes or repairs anything there:
 * a replicator may be running.
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
import { ProbeReplica, probePath } from './probe-replica.ts';
import { systemTimers, type TimerClock } from '../store/timers.ts';

const RANDOM_BYTES = 6;
/** Shorter than a replicator's patience: a person waits for the result. Longer than one silence. */
const REACH_MS_MAX = 40_000;

/** Options of `checkDestination`. */
export interface CheckOptions {
  /** The destination, opened for writing. */
  readonly destination: Destination;
  /** The same destination, opened for reading: it creates no folder. Default: `destination`. */
  readonly reader?: Destination | undefined;
  /** The path of the real replica. */
  readonly path: string;
  /** Larger files are uploaded in parts, if the destination supports parts. Default 8 MiB. */
  readonly partBytes?: number | undefined;
  /**
   * Opens the destination again, for writing. The logger receives warnings about uploads that could not be
   * removed after an abort, until it is closed. Without it, `abort` is not judged.
   */
  readonly connect?: ((logger: Logger) => Promise<Destination>) | undefined;
  /** The name of the provider for messages. Default: "this destination". */
  readonly provider?: string | undefined;
  /** Called with each verdict. */
  readonly onFeature?: ((report: FeatureReport) => void) | undefined;
  /** Called when a probe begins, and as bytes are transferred. */
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
  readonly clock?: TimerClock | undefined;
  readonly random?: ((count: number) => Uint8Array) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects only with the signal's reason. Transfers two full parts in both directions, and uploads three more. */
export async function checkDestination(options: CheckOptions): Promise<CheckReport> {
  const { destination, path, onFeature, signal, connect } = options;
  const { partBytes = PART_BYTES_DEFAULT, clock = systemTimers, random = randomBytes } = options;
  const progress = new ProgressTracker(options.onProgress);
  const nonce = Buffer.from(random(RANDOM_BYTES)).toString('hex');
  const bytes = new ProbeBytes(random(NOISE_BYTES), new Date(clock.now()), progress.onBytes);
  const replica = new ProbeReplica({
    destination,
    path: probePath(path, nonce),
    bytes,
    now: () => performance.now(),
    signal,
  });
  const { capabilities } = destination;
  const objects = new ProbeObjects(destination.unsettled(replica.path).objects, nonce, signal);
  const context: ProbeContext = { replica, partBytes, capabilities, connect, objects, figures: {} };
  const features: FeatureReport[] = [];
  const addReport = (report: FeatureReport): void => {
    features.push(report);
    onFeature?.(report);
  };
  let left: readonly string[] = [];
  progress.begin('reach');
  const reached = await reach(options, replica);
  addReport(reached.report);
  try {
    for (const { feature, sizeBytes, movesBytes, run } of PROBES) {
      progress.begin(feature, movesBytes?.(partBytes));
      const skipped = skip(feature, features, claimsOf(options), sizeBytes(partBytes));
      addReport(skipped ?? (await runProbe(feature, signal, () => run(context))));
    }
  } finally {
    progress.begin('delete');
    const folders = reached.isNew ? [replica.path, path] : [replica.path];
    const cleaned = await cleanUp({ replica, objects, reader: options.reader, folders, clock });
    left = cleaned.left;
    addReport(cleaned.report);
  }
  signal?.throwIfAborted();
  return {
    destination: destination.name,
    path: replica.path,
    features,
    figures: context.figures,
    left,
  };
}

function claimsOf({ destination, provider = 'this destination' }: CheckOptions): Claims {
  return { capabilities: destination.capabilities, provider };
}

/** Tracks the progress of a probe. Resent bytes count again, up to the total. */
class ProgressTracker {
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

async function runProbe(
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
  /** The folder of the replica does not exist yet: the probes create it, and it is removed with them. */
  readonly isNew: boolean;
}

async function reach(options: CheckOptions, replica: ProbeReplica): Promise<Reached> {
  const { destination, reader = destination, path, signal: given } = options;
  const deadline = AbortSignal.timeout(REACH_MS_MAX);
  const signal = given === undefined ? deadline : AbortSignal.any([given, deadline]);
  try {
    await readFirstFile(reader, path, signal);
    await replica.list('all', { signal });
    return { report: works('reach', `${destination.name} answers`), isNew: false };
  } catch (error) {
    given?.throwIfAborted();
    if (signal.aborted) return { report: failed('reach', silent(destination)), isNew: false };
    if (isError(error, 'REPLICA_PERMISSION_DENIED')) {
      // It exists and accepts the credentials: go on, to report every missing permission.
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
  const message = `${name}: no response in ${REACH_MS_MAX / 1_000} s`;
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
}

const NOT_YET = 'the folder does not exist yet: the first write creates it';
const MOUNT = 'if it should be on a mounted disk, mount the disk first';

/** Requests only the first file of a replica. */
async function readFirstFile(
  reader: Destination,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const _ of reader.replica(path).listFiles(0, { signal })) return;
}
