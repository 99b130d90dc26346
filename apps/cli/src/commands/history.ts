/** sluice history: what can be restored from each destination. If one fails, the others are still shown. */

import { readHistory, type HistoryOptions, type HistoryReport } from '@sluice/core';
import { isError, messageOf } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { exitCodeOf } from '../exit-of-error.ts';
import { historyToJSON } from '../history/json.ts';
import { describeHistory } from '../history/text.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { noBackupError } from '../restoring/choose.ts';
import { readTime } from '../restoring/flags.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

type Row = { readonly destination: DestinationConfig } & (
  | { readonly kind: 'history'; readonly report: HistoryReport }
  | { readonly kind: 'empty' }
  | { readonly kind: 'failed'; readonly error: unknown }
);

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
  const { destinations } = await select(args, shell);
  await using connections = new Destinations(logger, 'read');
  const rows = await interruptible((signal) =>
    Promise.all(
      destinations.map((destination) => read(destination, connections, { ...options, signal })),
    ),
  );
  if (rows.every(({ kind }) => kind === 'empty')) throw noBackupError(destinations);
  if (args.has('json')) printJSON(shell, rows.map(toJSON));
  else for (const row of rows) print(row, shell);
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

async function read(
  destination: DestinationConfig,
  connections: Destinations,
  options: HistoryOptions,
): Promise<Row> {
  try {
    const { client } = await connections.open(destination, options.signal);
    const report = await readHistory(client, options);
    if (report === undefined) return { destination, kind: 'empty' };
    return { destination, kind: 'history', report };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isError(error, 'CONFIG_INVALID')) throw error;
    return { destination, kind: 'failed', error };
  }
}

function print(row: Row, shell: Shell): void {
  const { name, target } = row.destination;
  const terminal: Terminal = shell.stdout;
  const columns = terminal.isTTY === true ? terminal.columns : undefined;
  const lines =
    row.kind === 'history'
      ? describeHistory(row.report, columns ?? WIDTH_DEFAULT)
      : [row.kind === 'empty' ? 'no backup' : 'cannot be read'];
  const [head = '', ...rest] = lines;
  shell.stdout.write([`${name} (${target}): ${head}`, ...rest, ''].join('\n'));
}

function toJSON(row: Row): object {
  const { name: replica, target } = row.destination;
  if (row.kind === 'history') return { replica, target, ...historyToJSON(row.report) };
  if (row.kind === 'empty') return { replica, target, moments_total: 0, levels: [] };
  const { error } = row;
  const code = isError(error) ? error.code : undefined;
  return { replica, target, error: { code, message: messageOf(error) } };
}
