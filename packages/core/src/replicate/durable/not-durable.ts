/** The error of a commit that did not become durable: why, and which destinations have it. */

import { type DurableFailure, ReplicationError } from '../../error.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { type DestinationProgress, holdersOf } from './progress.ts';

export interface NotDurable {
  readonly path: string;
  readonly reason: DurableFailure['reason'];
  /** undefined if the commit was not staged. */
  readonly txid: bigint | undefined;
  readonly needed: number;
  readonly destinations: readonly DestinationProgress[];
  /** Why it could not be staged, if it was not. */
  readonly stagingError: string | undefined;
  readonly timeoutMs: number;
  /** The reason of an abort. */
  readonly cause?: unknown;
}

export function notDurable(input: NotDurable): ReplicationError {
  const { path, reason, txid, needed, destinations, cause } = input;
  const holders = txid === undefined ? [] : holdersOf(txid, destinations);
  const others = destinations.filter((each) => !holders.includes(each));
  const commits =
    txid === undefined ? `the last commit of ${path}` : `TXID ${formatTXID(txid)} of ${path}`;
  const goal = `wait until ${commits} is at ${needed} of ${destinations.length} destinations`;
  const have = holders.map(({ name }) => name);
  const durable: DurableFailure = {
    reason,
    txid: txid === undefined ? undefined : formatTXID(txid),
    have,
    lack: others.map(({ name, state, txid: at, error }) => ({
      name,
      state,
      txid: at === undefined ? undefined : formatTXID(at),
      error,
    })),
  };
  const found = [whyOf(input), describeHolders(input, have), ...others.map(describeOther)];
  return new ReplicationError('NOT_DURABLE', `${goal}: ${found.join('; ')}; ${NEXT[reason]}`, {
    cause,
    durable,
  });
}

function whyOf({ reason, timeoutMs }: NotDurable): string {
  switch (reason) {
    case 'timeout':
      return `it was not there after ${timeoutMs / 1_000} s`;
    case 'aborted':
      return 'the wait was aborted';
    case 'lost':
      return 'too few destinations are left';
    case 'interrupted':
      return 'the database was opened again, and it is not certain that the commit is still in it';
    case 'closed':
      return 'replication has ended';
  }
}

function describeHolders({ txid, stagingError }: NotDurable, have: readonly string[]): string {
  if (txid !== undefined) return have.length === 0 ? 'none has it' : `it is at ${have.join(', ')}`;
  return `it is not staged yet${stagingError === undefined ? '' : ` (${stagingError})`}`;
}

function describeOther({ name, state, txid, error }: DestinationProgress): string {
  const at = txid === undefined ? '' : ` at TXID ${formatTXID(txid)}`;
  return `${name} is ${state}${at}${error === undefined ? '' : ` (${error})`}`;
}

const IT_IS_RETRIED = 'Sluice keeps trying to send it: fix the destination, or wait again';
const NEXT: Readonly<Record<DurableFailure['reason'], string>> = {
  timeout: IT_IS_RETRIED,
  aborted: IT_IS_RETRIED,
  lost: IT_IS_RETRIED,
  interrupted: 'read the commit in the database, then wait again',
  closed: 'start replication again: it sends what is missing',
};
