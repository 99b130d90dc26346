/** Plans and makes the restores of the page, in the way of `sluice restore`. */

import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { checkOutput, describeV03, type RestoreTarget } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { formatFilename, formatTXID, parseTXID } from '@sluice/core/ltx';
import type {
  Download,
  PlannedFile,
  PlanTarget,
  PlanView,
  RestoreOrder,
  RestoreResult,
} from '@sluice/dashboard';
import { newerThan } from '../commands/restore.ts';
import type { DatabaseConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { Scratch } from '../drilling/scratch.ts';
import { placesOf } from '../restore-plan.ts';
import { choose } from '../restoring/choose.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { describeMaybeNewer } from '../restoring/newer-elsewhere.ts';
import type { OldCandidate } from '../restoring/old.ts';
import { sentFrom } from '../restoring/records.ts';
import { surveyAll, type Answer, type Candidate, type LTXCandidate } from '../restoring/survey.ts';

/** The page shows so many files of a plan. */
const FILES_SHOWN = 100;

interface Survey {
  readonly candidates: readonly Candidate[];
  readonly answers: readonly Answer[];
  readonly target: RestoreTarget;
  /** Warnings about the choice. */
  readonly notes: readonly string[];
}

/** RESTORE_NO_SNAPSHOT, RESTORE_OUT_OF_RANGE and the other errors of a restore. */
export async function planFor(
  database: DatabaseConfig,
  wanted: PlanTarget,
  context: RestoreContext,
): Promise<PlanView> {
  await using connections = new Destinations(context.logger, 'read');
  const { candidates, answers, target, notes } = await survey(database, wanted, {
    ...context,
    connections,
  });
  const [best] = candidates;
  if (best === undefined) throw new TypeError('a choice has a candidate');
  const newer = newerThan(best, answers, target);
  const view = best.layout === 'ltx' ? ltxView(best) : oldView(best);
  const more = newer.length === 0 ? [] : [describeMaybeNewer(newer).trim()];
  return { ...view, notes: [...new Set([...view.notes, ...notes, ...more])] };
}

export interface RestoreContext {
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

async function survey(
  database: DatabaseConfig,
  wanted: PlanTarget,
  { connections, logger, signal }: RestoreContext & { readonly connections: Destinations },
): Promise<Survey> {
  const notes: string[] = [];
  const collector: Logger = { ...logger, warn: (message) => notes.push(message) };
  const target = toTarget(wanted);
  const { path: file } = database.options;
  const sentTo = sentFrom(database, file, collector);
  const { destinations } = database;
  const answers = await surveyAll({ destinations, target, connections, sentTo, signal });
  const options = {
    target,
    across: 'allowed',
    isAttended: true,
    logger: collector,
    signal,
  } as const;
  return { candidates: await choose(answers, options), answers, target, notes };
}

function toTarget(wanted: PlanTarget): RestoreTarget {
  if (wanted.kind === 'txid') return { kind: 'txid', txid: parseTXID(wanted.txid) };
  if (wanted.kind === 'timestamp') return { kind: 'timestamp', at: new Date(wanted.at) };
  return { kind: 'latest' };
}

function ltxView({ destination, plan, newest, note, across }: LTXCandidate): PlanView {
  const places = across === undefined ? [destination] : placesOf(across);
  const files = plan.files.map((file, index): PlannedFile => ({
    name: formatFilename(file.minTXID, file.maxTXID),
    level: file.level,
    size: file.sizeBytes,
    replica: across?.plan.files[index]?.source.name ?? destination.name,
  }));
  const isNewest = newest.txid === plan.txid;
  const at = plan.moment?.at ?? (isNewest ? newest.at : undefined);
  return {
    txid: formatTXID(plan.txid),
    timestamp: at?.toISOString(),
    from: places.map(({ name, target }) => ({ name, target })),
    bytes: plan.sizeBytes,
    fileCount: files.length,
    files: files.slice(0, FILES_SHOWN),
    notes: [note, plan.moment?.doubt].filter((each) => each !== undefined),
  };
}

function oldView({ destination, plan, note }: OldCandidate): PlanView {
  const { name, target } = destination;
  const files = [plan.snapshot, ...plan.segments].map((file): PlannedFile => ({
    name: describeV03(file),
    size: file.sizeBytes,
    replica: name,
  }));
  return {
    timestamp: plan.at.toISOString(),
    from: [{ name, target }],
    bytes: plan.sizeBytes,
    fileCount: files.length,
    files: files.slice(0, FILES_SHOWN),
    notes: note === undefined ? [] : [note],
  };
}

/** Never replaces a file. RESTORE_TARGET_EXISTS, and the other errors of a restore. */
export async function restoreTo(
  database: DatabaseConfig,
  { target, output, onProgress }: Omit<RestoreOrder, 'database'>,
  context: RestoreContext,
): Promise<RestoreResult> {
  const { logger, signal } = context;
  await checkOutput(output, 'refuse');
  await using connections = new Destinations(logger, 'read');
  const found = await survey(database, target, { ...context, connections });
  const { report } = await restoreFromBest(
    found.candidates,
    {
      output,
      target: found.target,
      overwrite: 'refuse',
      integrityCheck: 'quick',
      onProgress: ({ doneBytes, totalBytes }) => onProgress(doneBytes, totalBytes),
      signal,
    },
    { logger, older: 'refused' },
  );
  logger.info(`restored ${output} for the page`, { timestamp: report.timestamp });
  return {
    output,
    txid: 'txid' in report ? report.txid : undefined,
    timestamp: report.timestamp,
    bytesRead: report.bytesRead,
    durationMs: report.durationMs,
  };
}

/** Restores to a private folder, which is removed when the stream ends. */
export async function downloadOf(
  database: DatabaseConfig,
  target: PlanTarget,
  context: RestoreContext,
): Promise<Download> {
  const folder = Object.values(database.drills).find(({ scratch }) => scratch !== undefined);
  const scratch = await Scratch.create(folder?.scratch);
  try {
    const fileName = path.basename(database.options.path);
    const output = path.join(scratch.folder, fileName);
    await restoreTo(database, { target, output, onProgress: () => undefined }, context);
    const { size: sizeBytes } = await fs.promises.stat(output);
    const file = fs.createReadStream(output);
    file.once('close', () => void scratch[Symbol.asyncDispose]());
    return { fileName, sizeBytes, body: Readable.toWeb(file) as ReadableStream<Uint8Array> };
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw error;
  }
}

/** A restore to the path of a database would be taken for the database. */
export function refuseDatabasePath(output: string, databases: readonly DatabaseConfig[]): void {
  const resolved = path.resolve(output);
  const isTaken = databases.some(({ options }) =>
    [options.path, `${options.path}-wal`, `${options.path}-shm`].includes(resolved),
  );
  if (!isTaken) return;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `${resolved} is a database that is replicated: restore to another path, stop the application, and move the file`,
  );
}
