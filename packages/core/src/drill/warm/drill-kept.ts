/**
 * A drill that keeps its copy for the next one. That one is *warm*: it applies only newer files to the copy, and
 * makes the same checks. It proves less, because it does not read again what the copy was restored from, so
 * every FULL_EVERY-th drill is a full one. If a warm drill is not ok, a full one follows at once.
 */

import path from 'node:path';
import { messageOf } from '../../error.ts';
import { attemptDrill, type DrillAttempt, type DrillOptions, type DrillReport } from '../drill.ts';
import { discardCopy, keepCopy, takeCopy, type KeptCopy } from './kept-copy.ts';
import { judgeAfterWarm } from './judge-warm.ts';

/** A drill whose restored copy is kept for the next one. */
export interface KeptDrillOptions extends DrillOptions {
  readonly kept: {
    /** Only for this destination. Created if needed; on the same volume as the folder of the drill. */
    readonly folder: string;
    /** A larger copy is not kept. */
    readonly bytesMax: number;
  };
  /** Why the copy could not be kept. It does not change the result. */
  readonly onNotKept: (message: string) => void;
}

/** With a drill a day, every object is read at least once a week. */
export const FULL_EVERY = 7;

/** Rejects only with the reason of the signal. Everything else is a result. */
export async function drillKept(options: KeptDrillOptions): Promise<DrillReport> {
  const base = await take(options);
  const warm = base && (await attemptDrill({ ...options, base }));
  if (base !== undefined && warm?.report.result === 'ok') {
    await keep(options, base.file, warm, base.warmDrills + 1);
    return warm.report;
  }
  await discard(options); // before the restore: there is one copy at a time
  const full = await attemptDrill(options);
  const report = judgeAfterWarm(warm, full.report);
  if (report.result === 'ok') {
    await keep(options, path.join(options.folder, 'restored.db'), full, 0);
  }
  return report;
}

async function take(options: KeptDrillOptions): Promise<KeptCopy | undefined> {
  const { kept, target, signal } = options;
  if (target.kind !== 'latest') return undefined;
  try {
    const copy = await takeCopy(kept.folder, signal);
    return copy !== undefined && copy.warmDrills < FULL_EVERY - 1 ? copy : undefined;
  } catch (error) {
    signal.throwIfAborted();
    options.onNotKept(`use the copy in ${kept.folder}: ${messageOf(error)}`);
    return undefined;
  }
}

async function discard({ kept, onNotKept, signal }: KeptDrillOptions): Promise<void> {
  try {
    await discardCopy(kept.folder);
  } catch (error) {
    signal.throwIfAborted();
    onNotKept(`remove ${kept.folder}: ${messageOf(error)}`);
  }
}

/** A copy without a lineage could not be continued. */
async function keep(
  options: KeptDrillOptions,
  file: string,
  { seen: { restored } }: DrillAttempt,
  warmDrills: number,
): Promise<void> {
  const { kept, target, onNotKept, signal } = options;
  const { pageSize, state, databaseBytes = 0 } = restored ?? {};
  const isUseful = target.kind === 'latest' && pageSize !== undefined && state?.lineage !== 0n;
  if (!isUseful || state === undefined || databaseBytes > kept.bytesMax) {
    return await discard(options);
  }
  try {
    await keepCopy(kept.folder, file, { ...state, pageSize, warmDrills }, signal);
  } catch (error) {
    signal.throwIfAborted();
    onNotKept(`keep the copy in ${kept.folder}: ${messageOf(error)}`);
    await discard(options);
  }
}
