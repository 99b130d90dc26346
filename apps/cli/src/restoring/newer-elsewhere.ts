/**
 * The destinations that a restore left out although they may hold a newer state than the restored one. The
 * result names them, because the warnings before it may be lost. Pure.
 */

import type { RestoreTarget } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import { isError } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import { isState } from './newest-first.ts';
import { describeFailure, isNewestWanted, nextOf, type Answer, type Candidate } from './survey.ts';

export interface LeftOut {
  readonly destination: DestinationConfig;
  readonly message: string;
  readonly code: string | undefined;
  /** The highest TXID of its listing; undefined if that is not known. */
  readonly txid: bigint | undefined;
}

/** `chosen` is the restored state. */
export function maybeNewer(
  answers: readonly Answer[],
  chosen: Candidate,
  target: RestoreTarget,
): readonly LeftOut[] {
  const candidates = answers.filter((answer) => answer.kind === 'restorable');
  if (!candidates.every((each) => isNewestWanted(target, nextOf(each)))) return [];
  const txid = chosen.layout === 'ltx' ? chosen.newest.txid : undefined;
  return answers.flatMap((answer) => {
    if (answer.kind !== 'unanswered' && answer.kind !== 'unusable') return [];
    const { destination, error } = answer;
    if (isError(error, 'RESTORE_OUT_OF_RANGE')) return [];
    const highest = highestOf(answer);
    const isOlder = txid !== undefined && highest !== undefined && highest <= txid;
    const { message, code } = describeFailure(error);
    return isOlder ? [] : [{ destination, message, code, txid: highest }];
  });
}

function highestOf(answer: Answer): bigint | undefined {
  if (answer.kind === 'unanswered') return answer.listedTXID;
  return answer.kind === 'unusable' && isState(answer) ? answer.newest.txid : undefined;
}

/** Lines for people, each after a line break. */
export function describeMaybeNewer(leftOut: readonly LeftOut[]): string {
  return leftOut
    .map(({ destination: { name, target }, code = 'an error', txid }) => {
      const shown =
        txid === undefined
          ? 'it is not known what is there'
          : `its files go up to TXID ${formatTXID(txid)}`;
      return (
        `\nthere may be a newer state at ${name} (${target}), which was left out (${code}): ${shown}. ` +
        `To see why, repeat the restore with "-replica ${name} -dry-run"`
      );
    })
    .join('');
}

/** For -json; undefined if there are none. */
export function maybeNewerToJSON(leftOut: readonly LeftOut[]): object | undefined {
  if (leftOut.length === 0) return undefined;
  return leftOut.map(({ destination: { name, target }, code, message, txid }) => {
    return { replica: name, target, code, message, txid: txid && formatTXID(txid) };
  });
}
