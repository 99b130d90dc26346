/**
 * Decides which destinations are read together for one restore, and plans it over all of them.
 *
 * Destinations are combined only if they hold the same history:
 * - They end in the same lineage, and no name that two of them have shows two writers (same-files.ts). Then only
 *   files of the lineage of the restored state are read (one-history.ts).
 * - Or the newest destination includes the state that the other one ends with, by name, size and checksum. Then
 *   the files of the other one are used up to that state. This is the only proof for files of unknown lineage.
 * If the restored state is of an older lineage, the files that end there or before are compared too.
 *
 * In doubt each destination stands alone.
 */

import { isError, type ReplicationError } from '../../error.ts';
import { compare } from '../../history/chain.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import type { ListedHeaders, RestoreTarget } from '../plan/listing.ts';
import { newestOfEachLineage, orderByLineage, type LineageEnd } from '../plan/lineages.ts';
import type { RestorePlan } from '../plan/plan.ts';
import {
  listSources,
  readSourcedHeader,
  type RestoreSource,
  type SourcedFile,
} from '../plan/sources.ts';
import { includesState, type NewestFile } from '../plan/survey.ts';
import { requireSoundHeader } from './examine.ts';
import { Losses } from './losses.ts';
import { planListed } from './plan-listed.ts';
import { findConflict, type Conflict } from './same-files.ts';
import { FILE_CODES, withSourceErrors } from './source-error.ts';

/** A destination that was listed. */
export interface Member extends RestoreSource {
  readonly listed: readonly LTXFileInfo[];
  readonly headers: ListedHeaders;
}

/** The state that several destinations hold together. */
export interface United {
  readonly kind: 'united';
  readonly plan: RestorePlan<SourcedFile>;
  /** The last file of the state, and the source it is read from. */
  readonly newest: NewestFile & { readonly file: SourcedFile };
  /** For `restore`: the nearest first. */
  readonly sources: readonly RestoreSource[];
  readonly conflicts: readonly Conflict[];
}

/** Fewer than two destinations hold the same history, or together they do not hold the state either. */
export interface Apart {
  readonly kind: 'apart';
  /** Why the files of several destinations do not lead to the target. */
  readonly error: ReplicationError | undefined;
  readonly conflicts: readonly Conflict[];
}

/** Files tried, newest first, to find the lineage of a destination: more are damaged only in a lost bucket. */
const HEADERS_MAX = 32;
/** Files tried to find a later one of an older lineage. */
const LATER_MAX = 8;

/** The newest file of a member whose header can be decoded. */
interface End extends LineageEnd {
  readonly member: Member;
  readonly file: LTXFileInfo;
}

/** Rejects only with the reason of the signal, or for a bug. */
export async function unite(
  members: readonly Member[],
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<United | Apart> {
  const ends = await Promise.all(members.map((member) => readEnd(member, signal)));
  const line = await orderEnds(
    ends.filter((end) => end !== undefined),
    signal,
  );
  const { sources, conflicts } = await admit(line, signal);
  const [lead] = line;
  if (lead === undefined || sources.length < 2)
    return { kind: 'apart', error: undefined, conflicts };
  try {
    const { files } = await listSources(sources.map(withSourceErrors), 'known', signal);
    const losses = new Losses();
    const headerOf = readHeaderWith(signal);
    const { plan } = await planListed(files, target, losses, { headerOf, signal });
    const newest = await readNewest(files, plan, headerOf, signal);
    const isProven = newest.lineage !== 0n || lead.lineage === 0n;
    if (!isProven) return { kind: 'apart', error: undefined, conflicts };
    // A full snapshot that both got hides that they had parted before it.
    const isOfLead = newest.lineage !== 0n && newest.lineage === lead.lineage;
    const parted = isOfLead ? undefined : await findConflictUpTo(newest.txid, sources, signal);
    if (parted !== undefined) {
      return { kind: 'apart', error: undefined, conflicts: [...conflicts, parted] };
    }
    const lineage = newest.lineage === 0n ? undefined : newest.lineage;
    const own = sources.map((source) => ({ ...source, lineage }));
    return { kind: 'united', plan, newest, sources: own, conflicts };
  } catch (error) {
    signal.throwIfAborted();
    if (!isError(error)) throw error;
    return { kind: 'apart', error, conflicts };
  }
}

/** undefined if no header of its newest files can be read. */
async function readEnd(member: Member, signal: AbortSignal): Promise<End | undefined> {
  const newestFirst = [...member.listed]
    .sort((a, b) => compare(b.maxTXID, a.maxTXID) || a.level - b.level)
    .slice(0, HEADERS_MAX);
  for (const file of newestFirst) {
    const header = await readSound(member, file, signal);
    if (header === 'unreachable') return undefined;
    if (header === undefined) continue;
    const { nodeID: lineage, timestampMs } = header;
    return { member, file, txid: file.maxTXID, lineage, at: new Date(timestampMs) };
  }
  return undefined;
}

/** Ends of one history, newest first; none if the destinations hold different ones. */
async function orderEnds(ends: readonly End[], signal: AbortSignal): Promise<readonly End[]> {
  const heads = newestOfEachLineage(ends);
  const parts = new Map<End, Set<End>>(heads.map((head) => [head, new Set<End>()]));
  const pairs = heads.flatMap((part) => heads.map((whole) => [part, whole] as const));
  await Promise.all(
    pairs.map(async ([part, whole]) => {
      if (part === whole) return;
      // Destinations of one lineage have one history.
      const holders = ends.filter(
        (end) => end === whole || (whole.lineage !== 0n && end.lineage === whole.lineage),
      );
      const answers = await Promise.all(holders.map((end) => hasState(end.member, part, signal)));
      if (answers.includes(true)) parts.get(part)?.add(whole);
    }),
  );
  const ordered = orderByLineage(ends, (part, whole) => parts.get(part)?.has(whole) === true);
  return ordered.kind === 'diverged' ? [] : ordered.states;
}

/** Whether a destination has once been in a state: it has the last file of it, or a later one of its lineage. */
async function hasState(member: Member, state: End, signal: AbortSignal): Promise<boolean> {
  const { client, listed } = member;
  const { lineage, txid } = state;
  try {
    const part = { client: state.member.client, listed: state.member.listed, newest: state };
    if (await includesState({ client, listed, newest: state }, part, signal)) return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!isError(error)) throw error;
  }
  if (lineage === 0n) return false;
  const later = listed
    .filter(({ maxTXID }) => maxTXID >= txid)
    .sort((a, b) => compare(a.maxTXID, b.maxTXID) || a.level - b.level)
    .slice(0, LATER_MAX);
  for (const each of later) {
    const header = await readSound(member, each, signal);
    if (header === 'unreachable') return false;
    if (header?.nodeID === lineage) return true;
  }
  return false;
}

/** undefined if the file is damaged or missing. */
async function readSound(
  member: Member,
  file: LTXFileInfo,
  signal: AbortSignal,
): Promise<LTXHeader | 'unreachable' | undefined> {
  try {
    const header = await member.headers.read(file, signal);
    await requireSoundHeader({ ...file, source: member }, signal);
    return header;
  } catch (error) {
    signal.throwIfAborted();
    if (!isError(error)) throw error;
    return error.code.startsWith('LTX_') || FILE_CODES.includes(error.code)
      ? undefined
      : 'unreachable';
  }
}

/** The members that can be combined with the first one, the nearest first. */
async function admit(
  [lead, ...others]: readonly End[],
  signal: AbortSignal,
): Promise<{
  readonly sources: readonly RestoreSource[];
  readonly conflicts: readonly Conflict[];
}> {
  const sources: RestoreSource[] = lead === undefined ? [] : [lead.member];
  const conflicts: Conflict[] = [];
  for (const { member, file, lineage } of others) {
    if (lineage === 0n || lineage !== lead?.lineage) {
      sources.push({ ...member, upTo: file.maxTXID });
      continue;
    }
    const conflict = await findConflict(member, sources, signal);
    if (conflict === undefined) sources.push(member);
    else conflicts.push(conflict);
  }
  const byDistance = (a: RestoreSource, b: RestoreSource): number =>
    (a.listedInMs ?? 0) - (b.listedInMs ?? 0);
  return { sources: sources.sort(byDistance), conflicts };
}

/** Whether two of the sources show two writers in the files that end at a state or before it. */
async function findConflictUpTo(
  txid: bigint,
  sources: readonly RestoreSource[],
  signal: AbortSignal,
): Promise<Conflict | undefined> {
  const older = sources.map((source) => {
    const { listed = [], upTo = txid } = source;
    const isOlder = ({ maxTXID }: LTXFileInfo): boolean => maxTXID <= txid && maxTXID <= upTo;
    return { ...source, listed: listed.filter(isOlder) };
  });
  for (const [index, source] of older.entries()) {
    const conflict = await findConflict(source, older.slice(0, index), signal);
    if (conflict !== undefined) return conflict;
  }
  return undefined;
}

function readHeaderWith(
  signal: AbortSignal,
): (file: SourcedFile) => ReturnType<ListedHeaders['read']> {
  return (file) => readSourcedHeader(file, 'known', signal);
}

/** Of the files that end with the state, the lowest level was written first and has the commit's time. */
async function readNewest(
  files: readonly SourcedFile[],
  { txid }: RestorePlan,
  headerOf: ReturnType<typeof readHeaderWith>,
  signal: AbortSignal,
): Promise<United['newest']> {
  const ends = files.filter(({ maxTXID }) => maxTXID === txid).sort((a, b) => a.level - b.level);
  let failure: unknown;
  for (const file of ends) {
    try {
      const { nodeID: lineage, timestampMs } = await headerOf(file);
      await requireSoundHeader(file, signal);
      return { file, txid, lineage, at: new Date(timestampMs) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
