/** sluice history: what can be restored from each destination. If one fails, the others are still shown. */

import type { HistoryOptions } from '@sluice/core';
import { isError, messageOf } from '@sluice/core/backend';
import { formatDuration } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { exitCodeOf } from '../exit-of-error.ts';
import { describeOldHistory } from '../history/old.ts';
import { readRow, rowToJSON, type HistoryRow } from '../history/read.ts';
import { describeHistory } from '../history/text.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { noBackupError } from '../restoring/choose.ts';
import { readTime } from '../restoring/flags.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

type Terminal = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

const LIMIT_DEFAULT = 100;
/** Each moment needs one small request. */
const LIMIT_MAX = 10_000;
/** If the output is not a terminal. */
const WIDTH_DEFAULT = 80;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const options = readOptions(args, new Date());
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const { destinations, database } = await select(args, shell);
  // A URL has no configuration, so it is not known what is kept there.
  const isConfigured = database !== undefined;
  await using connections = new Destinations(logger, 'read');
  const rows = await interruptible((signal) =>
    Promise.all(
      destinations.map((destination) => readRow(destination, connections, { ...options, signal })),
    ),
  );
  if (rows.every(({ kind }) => kind === 'empty')) throw noBackupError(destinations);
  const reported = rows.map((row) => ({
    ...row,
    kept: isConfigured ? describeKept(row) : undefined,
  }));
  if (args.has('json')) {
    const kept = isConfigured ? 'said' : 'unknown';
    printJSON(
      shell,
      rows.map((row) => rowToJSON(row, kept)),
    );
  } else for (const row of reported) print(row, shell);
  let exitCode: number = EXIT_CODES.ok;
  for (const row of rows) {
    if (row.kind !== 'failed') continue;
    const { destination, error } = row;
    exitCode = exitCodeOf(error);
    const code = isError(error) ? error.code : undefined;
    logger.error(`${destination.name}: ${messageOf(error)}`, { code });
  }
  return exitCode;
}

function readOptions(args: Arguments, now: Date): HistoryOptions {
  const since = readTime(args, 'since', now);
  const until = readTime(args, 'until', now);
  if (since !== undefined && until !== undefined && since > until) {
    const range = `${since.toISOString()} is after ${until.toISOString()}`;
    throw usageError(args.command, `-since must not be later than -until, but ${range}`);
  }
  const limit = readLimit(args);
  const isNarrowed = since !== undefined || until !== undefined;
  return { since, until, momentsMax: limit ?? (isNarrowed ? LIMIT_DEFAULT : 0) };
}

function readLimit(args: Arguments): number | undefined {
  const text = args.text('limit');
  if (text === undefined) return undefined;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= LIMIT_MAX) return number;
  throw usageError(args.command, `-limit is 1 to ${LIMIT_MAX}, not "${text}"`);
}

/** A row, and what its destination keeps, if that is configured. */
type ReportedRow = HistoryRow & { readonly kept: string | undefined };

function describeKept({ destination: { retention } }: HistoryRow): string {
  if (retention === undefined) return 'everything';
  return `states of the last ${formatDuration(retention.retentionMs)} (after an hour, one for each interval of level 1)`;
}

function print(row: ReportedRow, shell: Shell): void {
  const { name, target } = row.destination;
  const terminal: Terminal = shell.stdout;
  const columns = terminal.isTTY === true ? terminal.columns : undefined;
  const [head = '', ...rest] = linesOf(row, columns ?? WIDTH_DEFAULT);
  const kept = row.kept === undefined ? [] : [`  kept: ${row.kept}`];
  shell.stdout.write([`${name} (${target}): ${head}`, ...kept, ...rest, ''].join('\n'));
}

function linesOf(row: HistoryRow, width: number): string[] {
  if (row.kind === 'history') return describeHistory(row.report, width);
  if (row.kind === 'old') return describeOldHistory(row.report);
  return [row.kind === 'empty' ? 'no backup' : 'cannot be read'];
}
