/** The rows of the table, searched and sorted. Pure. 10,000 of them take some milliseconds. */

import { isDrillOverdue, type DatabaseRow, type DestinationRow } from '../src/rows.ts';

/** One database at one destination. */
export interface TableRow {
  readonly database: DatabaseRow;
  /** undefined for a database without destinations. */
  readonly destination: DestinationRow | undefined;
  readonly state: RowState;
  /** Lower case: what a search looks through. */
  readonly text: string;
  /** Path and destination, with numbers that sort as numbers. */
  readonly order: string;
}

export interface RowState {
  readonly color: 'red' | 'amber' | 'green';
  readonly label: string;
}

export type SortKey = 'database' | 'destination' | 'state' | 'lag' | 'success' | 'txid' | 'drill';

export interface Sorting {
  readonly key: SortKey;
  readonly direction: 1 | -1;
}

export function toTableRows(databases: readonly DatabaseRow[], nowMs: number): TableRow[] {
  return databases.flatMap((database) => {
    const places = database.destinations.length === 0 ? [undefined] : database.destinations;
    const order = inOrder(database.path);
    return places.map((destination) => toTableRow(database, destination, { order, nowMs }));
  });
}

/** Numbers get zeros in front, so that they sort as numbers. */
function inOrder(path: string): string {
  return path.toLowerCase().replaceAll(/\d+/g, (digits) => digits.padStart(12, '0'));
}

interface RowInput {
  /** Of the path. */
  readonly order: string;
  readonly nowMs: number;
}

function toTableRow(
  database: DatabaseRow,
  destination: DestinationRow | undefined,
  { order, nowMs }: RowInput,
): TableRow {
  const state = stateOf(database, destination, nowMs);
  const words = [database.path, destination?.name, destination?.target, state.label];
  const text = words.join(' ').toLowerCase();
  return { database, destination, state, text, order: `${order} ${destination?.name ?? ''}` };
}

/** The state of a database at a destination, in a word or two. */
export function stateOf(
  database: DatabaseRow,
  destination: DestinationRow | undefined,
  nowMs: number,
): RowState {
  const is = (color: RowState['color'], label: string): RowState => ({ color, label });
  if (database.staleSince !== undefined) return is('red', 'not seen');
  if (destination === undefined) return is('red', 'no destination');
  const own = database.problems.filter((each) => each.destination === destination.name);
  if (database.state === 'ended') return is('red', 'ended');
  if (own.some(({ stage }) => stage === 'send' || stage === 'snapshot')) {
    return is('red', destination.state === 'failing' ? 'failing' : 'behind');
  }
  if (own.some(({ stage }) => stage === 'files')) return is('red', 'damaged');
  if (own.some(({ stage }) => stage === 'drill')) return is('red', 'drill failed');
  const general = database.problems.find((each) => each.destination === undefined);
  if (general !== undefined || own.length > 0) return is('red', 'stuck');
  // It may be another destination's fault.
  if (!database.healthy && database.problems.length === 0) return is('red', 'not healthy');
  return quietState(database, destination, nowMs);
}

/** Nothing is reported as wrong. */
function quietState(database: DatabaseRow, destination: DestinationRow, nowMs: number): RowState {
  if (destination.state === 'closed') return { color: 'red', label: 'closed' };
  const labels: Readonly<Record<string, string>> = {
    listing: 'listing',
    seeding: 'first snapshot',
    damaged: 'to be renewed',
    failing: 'retrying',
  };
  const label =
    database.state === 'waiting' || database.state === 'opening'
      ? database.state
      : labels[destination.state];
  if (label !== undefined) return { color: 'amber', label };
  if (isDrillOverdue(destination, nowMs)) return { color: 'amber', label: 'drill overdue' };
  return database.drillsKnown
    ? { color: 'green', label: 'up to date' }
    : { color: 'amber', label: 'drills unread' };
}

/** Rows that contain every word of the query. */
export function search(rows: readonly TableRow[], query: string): readonly TableRow[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return rows;
  return rows.filter(({ text }) => words.every((word) => text.includes(word)));
}

const WEIGHTS = { red: 0, amber: 1, green: 2 };

/** A copy of the rows in the order. Rows that are equal there are in the order of their paths. */
export function sort(rows: readonly TableRow[], { key, direction }: Sorting): TableRow[] {
  const valueOf = VALUES[key];
  const keyed = rows.map((row) => ({ row, value: valueOf(row) }));
  keyed.sort((a, b) => {
    if (a.value !== b.value) return a.value < b.value ? -direction : direction;
    return a.row.order < b.row.order ? -1 : 1;
  });
  return keyed.map(({ row }) => row);
}

const VALUES: Readonly<Record<SortKey, (row: TableRow) => number | string>> = {
  database: ({ order }) => order,
  destination: ({ destination }) => destination?.name ?? '',
  state: ({ state }) => WEIGHTS[state.color],
  lag: ({ destination }) => destination?.lagSeconds ?? Infinity,
  success: ({ destination }) => destination?.lastSuccessAt ?? '',
  txid: ({ destination }) => destination?.txid ?? '',
  drill: ({ destination }) => destination?.drill?.last?.at ?? '',
};
