/** `drill` and `repair`, done by the running replicator: with its configuration, its environment and its user. */

import { loggerFor } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import {
  parseDrillInput,
  parseRepairInput,
  type Drilled,
  type ProofProgress,
} from '../controlling/proofs.ts';
import type { RepairAnswer, RepairProgress } from '../repairing/order.ts';
import type { Background } from './background.ts';
import type { DatabaseSet } from './database-set.ts';

export interface ProofCommandsContext {
  readonly databases: DatabaseSet;
  readonly background: Background;
  readonly logger: Logger;
}

type Report = (progress: ProofProgress) => void;

/** Time between two lines to the client, who gives up without any. */
const REPORT_MS = 2_000;

export async function drill(
  { databases, background }: ProofCommandsContext,
  input: unknown,
  signal: AbortSignal,
  report: Report,
): Promise<Drilled> {
  const { path, replica, at, txid, integrity_check, assertions } = parseDrillInput(input);
  const database = replicated(databases, path, 'drill');
  const destination = database.destinations.find(({ name }) => name === replica);
  if (destination === undefined) {
    const known = database.destinations.map(({ name }) => name).join(', ');
    throw new ReplicationError(
      'CONFIG_INVALID',
      `drill ${path}: there is no destination ${replica}; the replicator has ${known}`,
    );
  }
  return await reporting(report, { waits: true }, async (update) => {
    const result = await background.drill(
      {
        database,
        destination,
        settings: {
          ...configured(database, replica),
          at,
          assertions,
          integrityCheck: integrity_check,
        },
        txid,
        started: 'watched',
        onProgress: (progress) => update({ drill: progress }),
      },
      signal,
    );
    const { name, type, target } = destination;
    return { database: path, name, type, target, report: result };
  });
}

export async function repair(
  { databases, background, logger }: ProofCommandsContext,
  input: unknown,
  signal: AbortSignal,
  report: Report,
): Promise<RepairAnswer> {
  const { path, dry_run: isDry, read } = parseRepairInput(input);
  const database = replicated(databases, path, 'repair');
  const mode = isDry === true ? 'dry-run' : 'mend';
  const own = loggerFor(logger, path);
  return await reporting(report, {}, async (update) => {
    const answer = await background.repair(
      { database, mode, read, onProgress: (done: RepairProgress) => update({ repair: done }) },
      signal,
    );
    if (mode === 'mend') {
      const level = answer.exit_code === 0 ? 'info' : 'error';
      own[level](`repaired by a command: ${answer.summary}`);
    }
    return answer;
  });
}

/** Reports the last progress again and again: a step may take long. */
async function reporting<Result>(
  report: Report,
  first: ProofProgress,
  work: (update: Report) => Promise<Result>,
): Promise<Result> {
  let last = first;
  report(last);
  const timer = setInterval(() => report(last), REPORT_MS);
  try {
    return await work((progress) => {
      last = progress;
      report(progress);
    });
  } finally {
    clearInterval(timer);
  }
}

/** What the configuration says about drills there, except what they check: the command says that. */
function configured(
  database: DatabaseConfig,
  name: string,
): Pick<
  NonNullable<DatabaseConfig['drills'][string]>,
  'everyMs' | 'scratch' | 'scratchBytesMax' | 'bandwidth'
> {
  const { everyMs = 0, scratch, scratchBytesMax, bandwidth } = database.drills[name] ?? {};
  return { everyMs, scratch, scratchBytesMax, bandwidth };
}

/** CONFIG_INVALID if the replicator does not have it, DATABASE_BUSY if it is not replicated at present. */
function replicated(databases: DatabaseSet, path: string, what: string): DatabaseConfig {
  const { config, state } = databases.get(path, what);
  if (state === 'replicating') return config;
  throw new ReplicationError(
    'DATABASE_BUSY',
    `${what} ${path}: it is not replicated at present, but ${state}; run this without -running`,
  );
}
