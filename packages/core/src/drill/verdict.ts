/**
 * Judges a drill from what it saw. Pure.
 *
 *  ok            the state was restored and verified, every assertion holds, and nothing contradicts it
 *  failed        the destination answered, and what it holds is not what a restore needs
 *  inconclusive  the destination, or the scratch folder, did not let us find out
 *
 *  the drill ended early with                    result
 *  a code of CONTENT_CODES                       failed
 *  any other error: access denied, unreachable,  inconclusive, unless something wrong was seen before
 *  no room, no key to decrypt the files
 */

import { isError, messageOf, ReplicationError, type ErrorCode } from '../error.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { AvoidedFile } from '../restore/options.ts';
import { UnusableFileError } from '../restore/plan/unusable-file.ts';
import { describeFile } from '../store/describe.ts';
import { describeV03 } from '../v03/layout.ts';
import { V03DamageError } from '../v03/objects.ts';
import type { AssertionResult } from './checks.ts';
import type { LiveState } from './live.ts';

/** The result of a drill; see the head of this file. */
export type DrillResult = 'ok' | 'failed' | 'inconclusive';

/** Something that a drill found wrong, or the reason why it could not find out. */
export interface DrillProblem {
  readonly message: string;
  readonly code?: ErrorCode | undefined;
  /** The damaged file: its level and name. */
  readonly object?: string | undefined;
}

/** Comparison with the live database. */
export type Comparison =
  /** `pages` were compared; `skipped` have changed in the live database since. */
  | { readonly kind: 'equal'; readonly pages: number; readonly skipped: number }
  /** `pages` differ; `first` is the number of the first one. */
  | { readonly kind: 'different'; readonly pages: number; readonly first: number }
  | { readonly kind: 'not compared'; readonly why: string };

/** A state at a destination. Lineage 0 is unknown. */
export interface KnownState {
  readonly txid: bigint;
  readonly lineage: bigint;
}

/** What was seen, as far as the drill got. */
export interface Findings {
  /** Set if the drill ended early. */
  readonly error: unknown;
  readonly avoided: readonly Omit<AvoidedFile, 'source'>[];
  /** SQLite's first complaint. */
  readonly corruption: string | undefined;
  readonly assertions: readonly AssertionResult[];
  readonly comparison: Comparison;
}

export function judge(findings: Findings): { result: DrillResult; problems: DrillProblem[] } {
  const failures = [
    ...findings.avoided.map(toDamage),
    ...toCorruption(findings.corruption),
    ...findings.assertions.flatMap(toBrokenAssertion),
    ...toDifference(findings.comparison),
  ];
  const { error } = findings;
  if (error === undefined)
    return { result: failures.length > 0 ? 'failed' : 'ok', problems: failures };
  const problem = toProblem(error);
  const isFailed = failures.length > 0 || isAboutContent(error);
  return { result: isFailed ? 'failed' : 'inconclusive', problems: [...failures, problem] };
}

/** Errors that say what the destination holds. All others say that we could not find out. */
function isAboutContent(error: unknown): boolean {
  return isError(error) && isContentCode(error.code);
}

function isContentCode(code: ErrorCode): boolean {
  return CONTENT_CODES.some((each) => code.startsWith(each));
}

/** A judged drill. */
export interface Judged {
  readonly result: DrillResult;
  readonly problems: readonly DrillProblem[];
  readonly assertions: readonly AssertionResult[];
}

/** The same drill without some of its assertions. */
export function withoutAssertions<Each extends Judged>(
  report: Each,
  isLeftOut: (sql: string) => boolean,
): Each {
  const assertions = report.assertions.filter(({ sql }) => !isLeftOut(sql));
  if (assertions.length === report.assertions.length) return report;
  const messagesOf = (results: readonly AssertionResult[]): ReadonlySet<string> =>
    new Set(results.flatMap(toBrokenAssertion).map(({ message }) => message));
  const kept = messagesOf(assertions);
  const gone = messagesOf(report.assertions.filter(({ sql }) => isLeftOut(sql)));
  const problems = report.problems.filter(({ message }) => !gone.has(message));
  const isFailure = ({ message, code, object }: DrillProblem): boolean =>
    kept.has(message) || object !== undefined || (code !== undefined && isContentCode(code));
  const failed = problems.some(isFailure) ? 'failed' : 'inconclusive';
  return { ...report, assertions, problems, result: problems.length === 0 ? 'ok' : failed };
}

const CONTENT_CODES: readonly string[] = [
  'LTX_',
  'REPLICA_NOT_FOUND',
  'REPLICA_CONFLICT',
  'REPLICA_TRUNCATED',
  'REPLICA_CHANGED',
  'REPLICA_RANGE',
  'RESTORE_NO_SNAPSHOT',
  'RESTORE_GAP',
  'RESTORE_DAMAGED',
  'RESTORE_OUT_OF_RANGE',
  'RESTORE_INTEGRITY',
];

/** The scratch folder did not let SQLite check the restored database. */
export function uncheckedError(folder: string, obstacle: string): ReplicationError {
  return new ReplicationError(
    'RESTORE_OUTPUT',
    `the restored database in ${folder} could not be checked: ${obstacle}; free some space there, check that disk, ` +
      'or choose another folder (-tmp, or drill.scratch)',
  );
}

function toProblem(error: unknown): DrillProblem {
  return {
    message: messageOf(error),
    code: isError(error) ? error.code : undefined,
    object: damagedObject(error),
  };
}

function damagedObject(error: unknown): string | undefined {
  if (error instanceof V03DamageError) return describeV03(error.file);
  const [suspect] = error instanceof UnusableFileError ? error.suspects : [];
  return suspect === undefined ? undefined : describeFile(suspect);
}

/** The state was restored without this file. The next damaged file may have no replacement. */
function toDamage({ file, code, message }: Omit<AvoidedFile, 'source'>): DrillProblem {
  const next =
    'other files replaced it this time: restore a copy now, then take a new full snapshot';
  return { message: `${message}; ${next}`, code, object: file };
}

function toCorruption(complaint: string | undefined): DrillProblem[] {
  if (complaint === undefined) return [];
  const message =
    `the restored database is corrupt: ${complaint}; check the live database with the same pragma: if it is ` +
    'corrupt too, restore an older state';
  return [{ message, code: 'RESTORE_INTEGRITY' }];
}

function toBrokenAssertion({ sql, failure }: AssertionResult): DrillProblem[] {
  return failure === undefined
    ? []
    : [{ message: `the assertion ${JSON.stringify(sql)} ${failure}` }];
}

function toDifference(comparison: Comparison): DrillProblem[] {
  if (comparison.kind !== 'different') return [];
  const { pages, first } = comparison;
  const message =
    `${pages} pages differ from those of the live database at the same TXID, the first is page ${first}: ` +
    'the backup or the live database is wrong; check the live database (PRAGMA integrity_check), keep this backup, ' +
    'and restart the replicator with an empty staging folder';
  return [{ message, code: 'RESTORE_INTEGRITY' }];
}

/**
 * The age of the newest restorable commit at the time of the listing: at most what was committed since
 * would be lost. 0 if the live database is in that very state. undefined if the age is negative, because
 * one of the clocks is wrong then.
 */
export function lossWindowMs(
  newest: KnownState & { readonly at: Date },
  listedAtMs: number,
  live: LiveState | undefined,
): number | undefined {
  if (live?.kind === 'at' && isSameState(live, newest)) return 0;
  const ageMs = listedAtMs - newest.at.getTime();
  return ageMs < 0 ? undefined : ageMs;
}

/** An unknown lineage equals no other: its TXIDs may mean different states. */
export function isSameState(a: KnownState, b: KnownState): boolean {
  return a.txid === b.txid && a.lineage === b.lineage && a.lineage !== 0n;
}

export function toComparison(live: LiveState | undefined, restored: KnownState): Comparison {
  if (live === undefined) return { kind: 'not compared', why: 'there is no live database here' };
  if (live.kind === 'unknown') return { kind: 'not compared', why: live.why };
  if (live.comparison !== undefined) return live.comparison;
  if (live.kind === 'moved on') {
    return { kind: 'not compared', why: 'the live database has moved on' };
  }
  const why =
    live.txid === restored.txid
      ? 'the lineage of the restored state is unknown or another one'
      : live.txid > restored.txid
        ? `the live database has moved on to TXID ${formatTXID(live.txid)}`
        : `the live database is at TXID ${formatTXID(live.txid)}`;
  return { kind: 'not compared', why };
}
