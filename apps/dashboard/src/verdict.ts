/**
 * The one verdict of the page: would data be lost now, how much, and since when? Pure.
 *
 *  color  meaning
 *  red    data would be lost, or a promise is broken, or something is not seen: an old status, a lost connection
 *  amber  nothing is known to be wrong, but something is not complete yet
 *  green  every database was seen, and is at every destination
 *  gray   no status has arrived yet
 */

import { nextStep } from './advice.ts';
import { isDrillOverdue, type DatabaseRow, type DestinationRow } from './rows.ts';
import { describeSeconds, toClock } from './words.ts';

export type Color = 'red' | 'amber' | 'green' | 'gray';

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** `asOf`: time of the last message, by the clock of the source; undefined if there was none. */
  | { readonly kind: 'lost'; readonly asOf: string | undefined };

export interface VerdictInput {
  readonly connection: Connection;
  /** Why the source cannot read its status; undefined if it can. */
  readonly unreadable?: string | undefined;
  /** undefined until they have arrived. */
  readonly databases: readonly DatabaseRow[] | undefined;
  /** By the clock of the source. */
  readonly nowMs: number;
}

export interface PageVerdict {
  readonly color: Color;
  /** Answers "would I lose data now?" */
  readonly answer: string;
  readonly detail: string;
  /** ISO 8601; undefined if nothing is wrong, or if it is not known since when. */
  readonly since?: string | undefined;
  /** The most serious first. */
  readonly causes: readonly Cause[];
}

/** Something that is wrong, for one or more databases. */
export interface Cause {
  readonly color: 'red' | 'amber';
  /** The first of the databases; undefined if it is not about a database. */
  readonly database?: string | undefined;
  readonly databases: number;
  readonly destination?: string | undefined;
  readonly message: string;
  readonly next: string;
  readonly since?: string | undefined;
}

/** What would be lost of one database if its machine were lost now. */
type Loss =
  | { readonly kind: 'seconds'; readonly seconds: number }
  | { readonly kind: 'everything' }
  | { readonly kind: 'unknown' };

interface Finding extends Omit<Cause, 'databases' | 'database'> {
  /** Findings of several databases with the same key are one cause. */
  readonly key: string;
}

interface Assessed {
  readonly row: DatabaseRow;
  readonly loss: Loss;
  readonly findings: readonly Finding[];
}

/** Below this, everything counts as sent: lag is rounded to tenths. */
const LOSS_SECONDS_MIN = 0.05;

export function judge(input: VerdictInput): PageVerdict {
  const { connection, unreadable, databases, nowMs } = input;
  if (connection.kind === 'lost') return lost(connection.asOf);
  if (unreadable !== undefined) return cannotRead(unreadable);
  if (databases === undefined) {
    return {
      color: 'gray',
      answer: 'Not known yet',
      detail: 'Waiting for the first status.',
      causes: [],
    };
  }
  if (databases.length === 0) return nothing();
  const assessed = databases.map((row) => assess(row, nowMs));
  const causes = toCauses(assessed);
  const [first] = causes;
  const color = first?.color ?? 'green';
  return { ...answerOf(assessed, color), color, since: earliest(causes), causes };
}

function lost(asOf: string | undefined): PageVerdict {
  const when = asOf === undefined ? 'Connection lost' : `Connection lost, as of ${toClock(asOf)}`;
  return {
    color: 'red',
    answer: 'Not known',
    detail: `${when}. What has happened since is not seen here.`,
    since: asOf,
    causes: [
      {
        color: 'red',
        databases: 0,
        message: when,
        next: 'See whether the replicator runs and whether this machine reaches it. The page connects again by itself.',
        since: asOf,
      },
    ],
  };
}

function cannotRead(why: string): PageVerdict {
  return {
    color: 'red',
    answer: 'Not known',
    detail: 'The status cannot be read.',
    causes: [
      {
        color: 'red',
        databases: 0,
        message: `The status cannot be read: ${why}`,
        next: 'See the log of the replicator.',
      },
    ],
  };
}

function nothing(): PageVerdict {
  return {
    color: 'amber',
    answer: 'Nothing is backed up',
    detail: 'No database is configured.',
    causes: [
      {
        color: 'amber',
        databases: 0,
        message: 'No database is configured',
        next: 'Add databases to the configuration.',
      },
    ],
  };
}

// --- one database ---

function assess(row: DatabaseRow, nowMs: number): Assessed {
  if (row.staleSince !== undefined) {
    const finding = red('stale', {
      message: `its last status is of ${toClock(row.staleSince)}`,
      next: 'See whether its replicator runs: sluice status.',
      since: row.staleSince,
    });
    return { row, loss: { kind: 'unknown' }, findings: [finding] };
  }
  return { row, loss: lossOf(row), findings: findingsOf(row, nowMs) };
}

/** A destination that failed its drill, or whose files are damaged, is not relied on. */
function lossOf({ state, problems, destinations }: DatabaseRow): Loss {
  const isDoubtful = ({ name, state: at }: DestinationRow): boolean =>
    at === 'damaged' ||
    problems.some(
      ({ stage, destination }) => destination === name && (stage === 'drill' || stage === 'files'),
    );
  const holding = destinations.filter(({ txid }) => txid !== undefined);
  const reliable = holding.filter((each) => !isDoubtful(each));
  if (reliable.length > 0) {
    return { kind: 'seconds', seconds: Math.min(...reliable.map(({ lagSeconds }) => lagSeconds)) };
  }
  if (holding.length > 0) return { kind: 'unknown' };
  // There is nothing to lose of a database that does not exist.
  return state === 'waiting' ? { kind: 'seconds', seconds: 0 } : { kind: 'everything' };
}

function findingsOf(row: DatabaseRow, nowMs: number): Finding[] {
  const { healthy, problems, destinations } = row;
  const found = problems.map((problem) => problemFinding(row, problem, nowMs));
  if (destinations.length === 0) {
    found.push(
      red('no destination', {
        message: 'it has no destination',
        next: 'Add a destination to its configuration.',
      }),
    );
  }
  if (!healthy && problems.length === 0) {
    found.push(
      red('unhealthy', {
        message: 'it is not healthy, and no reason was reported',
        next: 'See its log lines, and run sluice status.',
      }),
    );
  }
  return [...found, ...incomplete(row, nowMs)];
}

function problemFinding(
  row: DatabaseRow,
  { stage, destination, message }: DatabaseRow['problems'][number],
  nowMs: number,
): Finding {
  const at = row.destinations.find(({ name }) => name === destination);
  const code = at === undefined ? row.code : at.code;
  const lagged =
    at !== undefined && at.lagSeconds > 0
      ? new Date(nowMs - at.lagSeconds * 1_000).toISOString()
      : undefined;
  const since = stage === 'drill' || stage === 'files' ? undefined : (at?.since ?? lagged);
  return red(`${stage} ${destination ?? ''} ${code ?? ''}`, {
    destination,
    message,
    next: nextStep(stage, code),
    since: at === undefined ? row.since : since,
  });
}

/** Nothing is wrong, but something is missing that must not be shown as green. */
function incomplete(row: DatabaseRow, nowMs: number): Finding[] {
  const found: Finding[] = [];
  if (row.state === 'ended') {
    found.push(
      red('ended', {
        message: 'its replication has ended: new commits are not backed up',
        next: 'Start the replicator again.',
      }),
    );
  }
  const waiting = WAITING_STATES[row.state];
  if (waiting !== undefined) found.push(amber(row.state, waiting));
  for (const each of row.destinations) found.push(...incompleteAt(each, row, nowMs));
  if (!row.drillsKnown) {
    found.push(
      amber('drills', {
        message: 'the results of its drills are not read yet',
        next: 'They are read within a minute; otherwise see the log of the replicator.',
      }),
    );
  }
  return found;
}

const WAITING_STATES: Readonly<Record<string, { message: string; next: string }>> = {
  opening: {
    message: 'it is being opened',
    next: 'Nothing to do, unless this lasts. Then see its log lines.',
  },
  waiting: {
    message: 'the database does not exist yet, or is empty',
    next: 'Nothing to do if the application creates it later. Otherwise check the path.',
  },
  failing: {
    message: 'following it has failed, and is tried again',
    next: 'See the error of this database below, and its log lines.',
  },
};

function incompleteAt(at: DestinationRow, row: DatabaseRow, nowMs: number): Finding[] {
  const { name, state, drill } = at;
  const isNamed = row.problems.some(({ destination }) => destination === name);
  const found: Finding[] = [];
  const note = (message: string, next: string): void => {
    const key = `${message.replace(name, '')} ${name}`;
    found.push(amber(key, { destination: name, message, next, since: at.since }));
  };
  if (state === 'closed' && row.state !== 'ended') {
    found.push(
      red(`closed ${name}`, {
        destination: name,
        message: `${name} gets nothing more`,
        next: nextStep('send', at.code),
      }),
    );
  } else if (!isNamed && state === 'failing') {
    note(`the last try to send to ${name} failed`, nextStep('send', at.code));
  } else if (!isNamed && state === 'damaged') {
    note(`files are missing at ${name}`, 'Nothing to do: a full snapshot will be sent.');
  } else if (!isNamed && (state === 'listing' || state === 'seeding') && row.state !== 'waiting') {
    const what = state === 'listing' ? 'is being listed' : 'is getting a full snapshot';
    note(`${name} ${what}`, 'Nothing to do: this ends by itself.');
  }
  if (drill?.last?.result === 'inconclusive' && drill.failure === undefined) {
    note(`the last drill of ${name} proved nothing`, 'See its result, and run sluice drill.');
  } else if (isDrillOverdue(at, nowMs)) {
    note(`the drill of ${name} is overdue`, 'See why drills do not run: sluice status.');
  }
  return found;
}

function red(key: string, finding: Omit<Finding, 'color' | 'key'>): Finding {
  return { ...finding, key, color: 'red' };
}

function amber(key: string, finding: Omit<Finding, 'color' | 'key'>): Finding {
  return { ...finding, key, color: 'amber' };
}

// --- all databases ---

/** One cause for each kind of finding: a destination may fail for thousands of databases. */
function toCauses(assessed: readonly Assessed[]): Cause[] {
  const groups = new Map<string, { cause: Cause; count: number }>();
  for (const { row, findings } of assessed) {
    for (const { key, ...finding } of findings) {
      const group = groups.get(key);
      if (group === undefined) {
        const cause = { ...finding, database: row.path, databases: 1 };
        groups.set(key, { cause, count: 1 });
        continue;
      }
      group.count += 1;
      group.cause = { ...group.cause, since: earlier(group.cause.since, finding.since) };
    }
  }
  return [...groups.values()]
    .map(({ cause, count }) => ({ ...cause, databases: count }))
    .sort((a, b) => weight(b) - weight(a) || b.databases - a.databases);
}

function weight({ color }: Cause): number {
  return color === 'red' ? 1 : 0;
}

function earliest(causes: readonly Cause[]): string | undefined {
  const serious = causes.filter(({ color }) => color === causes[0]?.color);
  return serious.reduce<string | undefined>((first, { since }) => earlier(first, since), undefined);
}

function earlier(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(a) <= Date.parse(b) ? a : b;
}

function answerOf(
  assessed: readonly Assessed[],
  color: Color,
): Pick<PageVerdict, 'answer' | 'detail'> {
  const total = assessed.length;
  const wrong = assessed.filter(({ findings }) => findings.some((each) => each.color === 'red'));
  const unknown = assessed.filter(({ loss }) => loss.kind === 'unknown');
  if (unknown.length > 0) {
    return {
      answer: 'Not known',
      detail: `${countOf(unknown.length, total)} cannot be relied on.`,
    };
  }
  const bare = assessed.filter(({ loss }) => loss.kind === 'everything');
  if (bare.length > 0) {
    return {
      answer: `Yes, all of ${bare.length === 1 ? baseOf(bare) : `${bare.length} databases`}`,
      detail: `${countOf(bare.length, total)} ${bare.length === 1 ? 'is' : 'are'} at no destination yet.`,
    };
  }
  const worst = Math.max(
    ...assessed.map(({ loss }) => (loss.kind === 'seconds' ? loss.seconds : 0)),
  );
  const late = assessed.filter(({ row, loss }) => isLate(row, loss));
  if (late.length > 0) {
    const seconds = Math.max(
      ...late.map(({ loss }) => (loss.kind === 'seconds' ? loss.seconds : 0)),
    );
    return {
      answer: `Yes, the last ${describeSeconds(seconds)}`,
      detail: `Commits of ${countOf(late.length, total)} are at no destination.`,
    };
  }
  if (color === 'red') {
    const what = `${countOf(wrong.length, total)} ${wrong.length === 1 ? 'is' : 'are'} not backed up as configured`;
    return { answer: 'No, but a backup is missing', detail: `${what}; another copy is complete.` };
  }
  const onTheWay =
    worst < LOSS_SECONDS_MIN
      ? 'Every commit is'
      : `Commits older than ${describeSeconds(worst)} are`;
  return color === 'green'
    ? { answer: 'No', detail: `${onTheWay} at every destination of ${all(total)}.` }
    : { answer: 'No', detail: `Something is not complete yet; see below.` };
}

/** More than the normal delay of a commit would be lost. */
function isLate({ maxLagSeconds, healthy }: DatabaseRow, loss: Loss): boolean {
  if (loss.kind !== 'seconds') return false;
  return loss.seconds > (maxLagSeconds ?? (healthy ? Infinity : 0));
}

function countOf(count: number, total: number): string {
  if (total === 1) return 'The database';
  return `${count.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} databases`;
}

function all(total: number): string {
  return total === 1 ? 'the database' : `${total.toLocaleString('en-US')} databases`;
}

function baseOf([first]: readonly Assessed[]): string {
  return first?.row.path.split('/').at(-1) ?? 'a database';
}
