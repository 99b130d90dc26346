/** Finds out whether the newest state of each old destination can be restored, from that destination alone. */

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { Config, DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { surveyAll, type Answer, type Candidate } from '../restoring/survey.ts';

export interface CheckedDestination {
  readonly database: string;
  readonly destination: DestinationConfig;
  readonly result:
    | {
        readonly kind: 'restorable';
        readonly state: RestorableState;
        /** Time of the trial restore, if there was one. */
        readonly restoredMs: number | undefined;
      }
    | { readonly kind: 'failed'; readonly error: Error };
}

/** The newest state of a destination. */
export interface RestorableState {
  /** Its identity in words: "TXID …", or "generation … of Litestream 0.3". */
  readonly name: string;
  /** Of LTX files. */
  readonly txid: string | undefined;
  /** Of a backup of Litestream 0.3. */
  readonly generation: string | undefined;
  readonly writtenAt: Date;
  readonly files: number;
  readonly sizeBytes: number;
}

export interface SurveyDepth {
  /** `plan` reads a listing and some headers; `restore` also restores, and runs integrity_check. */
  readonly depth: 'plan' | 'restore';
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const LATEST = { kind: 'latest' } as const;

/** In the order of the configuration. */
export async function checkDestinations(
  { databases }: Config,
  options: SurveyDepth,
): Promise<CheckedDestination[]> {
  await using connections = new Destinations(options.logger, 'read');
  const checked: CheckedDestination[] = [];
  for (const database of databases) {
    checked.push(...(await checkDatabase(database, connections, options)));
  }
  return checked;
}

async function checkDatabase(
  { options: { path: database }, destinations }: DatabaseConfig,
  connections: Destinations,
  options: SurveyDepth,
): Promise<CheckedDestination[]> {
  const { signal } = options;
  const sentTo = (): Promise<undefined> => Promise.resolve(undefined); // Litestream keeps no such record
  const answers = await surveyAll({ destinations, target: LATEST, connections, sentTo, signal });
  const checked: CheckedDestination[] = [];
  for (const destination of destinations) {
    const answer = answers.find((each) => each.destination === destination);
    const result = await toResult(answer, destination, options);
    checked.push({ database, destination, result });
  }
  return checked;
}

async function toResult(
  answer: Answer | undefined,
  destination: DestinationConfig,
  options: SurveyDepth,
): Promise<CheckedDestination['result']> {
  if (answer === undefined || answer.kind === 'empty') {
    return { kind: 'failed', error: emptyError(destination) };
  }
  if (answer.kind !== 'restorable') return { kind: 'failed', error: answer.error };
  const state = stateOf(answer);
  if (options.depth === 'plan') return { kind: 'restorable', state, restoredMs: undefined };
  try {
    const restoredMs = await restoreForTrial(answer, options);
    return { kind: 'restorable', state, restoredMs };
  } catch (error) {
    options.signal.throwIfAborted();
    return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function stateOf(candidate: Candidate): RestorableState {
  if (candidate.layout === 'v03') {
    const { generation, at, segments, sizeBytes } = candidate.plan;
    return {
      name: `generation ${generation.id} of Litestream 0.3`,
      txid: undefined,
      generation: generation.id,
      writtenAt: at,
      files: 1 + segments.length,
      sizeBytes,
    };
  }
  const { plan, newest } = candidate;
  const txid = formatTXID(plan.txid);
  return {
    name: `TXID ${txid}`,
    txid,
    generation: undefined,
    writtenAt: newest.at,
    files: plan.files.length,
    sizeBytes: plan.sizeBytes,
  };
}

/** Restores into a temporary folder, which is removed, and returns the time that it took. */
async function restoreForTrial(
  candidate: Candidate,
  { logger, signal }: SurveyDepth,
): Promise<number> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'sluice-migrate-'));
  try {
    const output = path.join(folder, 'restored.db');
    const options = { output, target: LATEST, integrityCheck: 'full', signal } as const;
    const context = { logger, older: 'refused' } as const;
    const { report } = await restoreFromBest([candidate], options, context);
    return report.durationMs;
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

function emptyError({ target }: DestinationConfig): ReplicationError {
  return new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `look for a backup at ${target}: it is empty. Correct the path; or, if nothing was ever replicated there, use -no-check`,
  );
}
