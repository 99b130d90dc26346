/**
 * Restores a missing database from its destinations before the application opens it.
 *
 * Nobody reads warnings here, so it is stricter than `sluice restore`: every destination must answer, because
 * one that does not may hold the newest state, or the only one. If the destinations hold different histories,
 * or the newest state cannot be restored, it throws.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../../config/duration.ts';
import { isError, messageOf, ReplicationError } from '../../error.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { recordOrigin } from '../../replicate/ownership/origin.ts';
import { restore } from '../../restore/restore.ts';
import { unite } from '../../restore/across/unite.ts';
import type { RestoreReport } from '../../restore/options.ts';
import type { RestoreSource } from '../../restore/plan/sources.ts';
import type { Logger } from '../../store/backend.ts';
import {
  type Answer,
  type Listed,
  surveyDestination,
  type Surveyed,
} from './survey-destination.ts';

/** First delay before destinations are asked again; it doubles up to the maximum. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;
const LATEST = { kind: 'latest' } as const;
const BY_HAND = 'restore it with "sluice restore", or set restoreIfMissing to false to start empty';

export interface MissingDatabase {
  readonly path: string;
  readonly metaPath: string;
  readonly destinations: readonly Surveyed[];
}

export interface RestoreContext {
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What was restored, and the names of the destinations that it was read from. */
export interface Restored {
  readonly txid: string;
  readonly from: readonly string[];
}

/** undefined if no destination has a backup: the database starts empty. */
export async function restoreMissing(
  database: MissingDatabase,
  context: RestoreContext,
): Promise<Restored | undefined> {
  const listed = (await surveyAll(database, context)).filter((answer) => answer.kind === 'listed');
  if (listed.length === 0) {
    context.logger.info(
      `${database.path} is missing and starts empty: no destination has a backup`,
    );
    return undefined;
  }
  const choice = await choose(listed, database.path, context.signal);
  const report = await restore({
    sources: choice.sources,
    output: database.path,
    target: LATEST,
    signal: context.signal,
  });
  warnOf(report, context.logger);
  await keepOrigin(database.path, choice.lead, context);
  return { txid: report.txid, from: report.readFrom.map(({ source }) => source) };
}

/** Waits until every destination has answered. */
async function surveyAll(
  { path, metaPath, destinations }: MissingDatabase,
  { logger, signal }: RestoreContext,
): Promise<readonly Answer[]> {
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    const asked = await Promise.allSettled(
      destinations.map((each) => surveyDestination(each, metaPath, { logger, signal })),
    );
    signal.throwIfAborted();
    const answers = asked.filter((each) => each.status === 'fulfilled').map(({ value }) => value);
    if (answers.length === destinations.length) return answers;
    for (const [index, each] of asked.entries()) {
      if (each.status === 'fulfilled') continue;
      const error: unknown = each.reason;
      const code = isError(error) ? error.code : undefined;
      logger.warn(
        `${path} is missing. Sluice waits for ${destinations[index]?.name}, which may hold its newest state: ` +
          `${messageOf(error)}; next try in ${formatDuration(waitMs)}`,
        { code },
      );
    }
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

interface Choice {
  readonly sources: readonly RestoreSource[];
  /** The destination that has the last file. */
  readonly lead: Listed;
}

/** The newest state. RESTORE_AMBIGUOUS if it is not certain which one that is. */
async function choose(
  listed: readonly Listed[],
  path: string,
  signal: AbortSignal,
): Promise<Choice> {
  const [only] = listed;
  if (listed.length === 1 && only !== undefined) {
    if (only.survey.kind === 'unusable') throw unusable(only, path);
    requireSent(only, only.survey.plan.txid, path);
    return { sources: [only.source], lead: only };
  }
  const united = await unite(
    listed.map(({ source, survey }) => ({ ...source, ...survey })),
    LATEST,
    signal,
  );
  if (united.kind === 'apart' || united.conflicts.length > 0) throw ambiguous(listed, path);
  const { newest, sources } = united;
  const members = new Set(sources.map(({ name }) => name));
  for (const each of listed) {
    const isOlder = (each.survey.newest?.txid ?? 0n) <= newest.txid;
    if (members.has(each.source.name) && isOlder) requireSent(each, newest.txid, path);
    else if (each.survey.kind === 'unusable') throw unusable(each, path);
    else throw ambiguous(listed, path);
  }
  const lead = listed.find(({ source }) => source.name === newest.file.source.name);
  if (lead === undefined) throw new TypeError('the newest file has a listed source');
  return { sources, lead };
}

/** RESTORE_GAP if this machine has sent more than `txid` to a destination. */
function requireSent({ source, sent }: Listed, txid: bigint, path: string): void {
  if (sent === undefined || sent.txid <= txid) return;
  throw new ReplicationError(
    'RESTORE_GAP',
    `restore ${path}: according to the staging folder TXID ${formatTXID(sent.txid)} was sent to ${source.name}, ` +
      `but the newest state found is ${formatTXID(txid)}; ${BY_HAND}`,
  );
}

function unusable({ source, survey }: Listed, path: string): ReplicationError {
  const { code, message } =
    survey.kind === 'unusable'
      ? survey.error
      : ({ code: 'RESTORE_AMBIGUOUS', message: 'it holds another history' } as const);
  return new ReplicationError(
    code,
    `restore ${path}: the newest state may be at ${source.name}, and it cannot be restored: ${message}; ${BY_HAND}`,
  );
}

function ambiguous(listed: readonly Listed[], path: string): ReplicationError {
  const states = listed.map(({ source: { name }, survey: { newest } }) => {
    if (newest === undefined) return `${name}: unreadable`;
    return `${name}: TXID ${formatTXID(newest.txid)}, written at ${newest.at.toISOString()}`;
  });
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    `restore ${path}: the destinations hold different histories (${states.join('; ')}); choose one with ` +
      '"sluice restore -replica NAME", and start again',
  );
}

function warnOf({ avoided, failedSources }: RestoreReport, logger: Logger): void {
  for (const { file, source, code, message } of avoided) {
    logger.warn(`${source}: ${file} is unusable; other files replaced it: ${message}`, { code });
  }
  for (const { source, code, message } of failedSources) {
    logger.warn(`${source} stopped answering; other destinations replaced it: ${message}`, {
      code,
    });
  }
}

/** Replication may then continue this backup. */
async function keepOrigin(
  path: string,
  { source, survey }: Listed,
  { logger, signal }: RestoreContext,
): Promise<void> {
  try {
    await recordOrigin(path, { client: source.client, listed: survey.listed }, signal);
  } catch (error) {
    signal.throwIfAborted();
    logger.warn(
      `record beside ${path} that it was restored from ${source.name}: ${messageOf(error)}; ` +
        "to continue this backup, start once with foreign: 'take over'",
    );
  }
}
