/** The output of repair, for people and as JSON, and its exit code. Pure. */

import {
  isWithoutBackup,
  outcomeOf,
  type DamagedFile,
  type DestinationRepair,
  type LostStates,
  type RepairOptions,
  type RepairReport,
} from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import type { DestinationConfig } from '../config/model.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { EXIT_OF_ERROR } from '../exit-of-error.ts';
import type { ErrorCode } from '@sluice/core/backend';

/** The repair of one database. */
export interface Repaired {
  readonly database: string;
  readonly destinations: readonly Pick<DestinationConfig, 'name' | 'target'>[];
  readonly mode: RepairOptions['mode'];
  readonly report: RepairReport;
}

/** Files named in the text for each destination; JSON has all. */
const FILES_SHOWN_MAX = 20;

/** 0 if nothing was found, or everything is mended. */
export function exitCodeOfRepairs(repaired: readonly Repaired[]): number {
  const open = repaired.filter(({ report, mode }) => outcomeOf(report, mode) === 'open');
  if (open.length === 0) return EXIT_CODES.ok;
  const unanswered = open.flatMap(({ report }) => report.unanswered);
  const isAnswered = open.some(({ report, mode }) => {
    return outcomeOf({ ...report, unanswered: [] }, mode) === 'open';
  });
  const [first] = unanswered;
  if (isAnswered || first === undefined) return EXIT_CODES.notMended;
  return EXIT_CODES[EXIT_OF_ERROR[first.code as ErrorCode] ?? 'failed'];
}

export function describeRepair({ database, destinations, mode, report }: Repaired): string {
  const targetOf = new Map(destinations.map(({ name, target }) => [name, target]));
  const lines = [`${database}:`];
  for (const one of report.destinations) {
    lines.push(`  ${one.name} (${targetOf.get(one.name)}): ${describeOne(one, mode)}`);
    lines.push(...problemsOf(one, mode));
  }
  for (const { name, why } of report.unanswered) lines.push(`  ! ${name} was not examined: ${why}`);
  for (const { file, destinations: names } of report.conflicts) {
    lines.push(
      `  ! two histories: ${names.join(' and ')} have different bytes of ${nameOf(file)}, so two replicators ` +
        'wrote there; nothing was copied between them; keep one of them, and give the other one a new path',
    );
  }
  if (report.conflicts.length === 0 && report.groups.length > 1) {
    const groups = report.groups.map((names) => names.join(', ')).join(' | ');
    lines.push(
      `  ! these destinations share no file, so nothing was copied between them: ${groups}; ` +
        'check that all of them are of this database',
    );
  }
  if (isWithoutBackup(report)) {
    lines.push(
      '  ! there is no backup: no destination has a file; check the paths, and mount the disks',
    );
  }
  lines.push(...report.lost.map(describeLost));
  return `${lines.join('\n')}\n`;
}

/** "mended, 3 files copied to one and two" */
export function summarizeRepair({ mode, report }: Repaired): string {
  const filled = report.destinations.filter(({ copies }) => copies.length > 0);
  const files = filled.reduce((sum, { copies }) => sum + copies.length, 0);
  const names = filled.map(({ name }) => name).join(', ');
  const copied = files === 0 ? 'nothing copied' : `${count(files, 'file')} copied to ${names}`;
  return `${outcomeOf(report, mode)}, ${copied}`;
}

function describeOne(
  { files, lacking, damaged, copies }: DestinationRepair,
  mode: RepairOptions['mode'],
): string {
  const found = [
    ...(lacking === 0 ? [] : [`lacked ${count(lacking, 'moment')}`]),
    ...(damaged.length === 0 ? [] : [`${count(damaged.length, 'file')} damaged`]),
  ];
  const sizeBytes = copies.reduce((sum, copy) => sum + copy.sizeBytes, 0);
  const verb = mode === 'mend' ? 'copied' : 'to copy';
  const copied =
    copies.length === 0
      ? []
      : [`${count(copies.length, 'file')} ${verb}, ${formatBytes(sizeBytes)}`];
  const all = [...found, ...copied];
  return `${count(files, 'file')}${all.length === 0 ? ', lacks nothing' : `, ${all.join(', ')}`}`;
}

function problemsOf(
  { name, damaged, failures, stillDamaged, unread, stuckAt }: DestinationRepair,
  mode: RepairOptions['mode'],
): string[] {
  const was = mode === 'mend' ? 'was' : 'is';
  const still = new Set(stillDamaged.map(nameOf));
  const mended = damaged.filter(({ file }) => !still.has(nameOf(file)));
  return [
    ...some(mended, (each) => `    ${describeFile(each)}: it ${was} damaged`),
    ...some(
      damaged.filter(({ file }) => still.has(nameOf(file))),
      (each) => `  ! ${describeFile(each)}: it stays damaged`,
    ),
    ...some(failures, (each) => `  ! ${nameOf(each.file)} was not written: ${each.why}`),
    ...some(unread, (each) => `  ! ${nameOf(each.file)} was not read: ${each.why}`),
    ...(stuckAt === undefined
      ? []
      : [
          `  ! ${name}: the newest state cannot be restored, ${stuckAt === 0n ? 'and no other' : `only TXID ${hex(stuckAt)}`}: ` +
            'the next full snapshot closes the gap (snapshot.interval); with scrub, the replicator makes one at once',
        ]),
  ];
}

function describeFile({ file, code, why }: DamagedFile): string {
  return `${nameOf(file)} (${code}: ${why})`;
}

function describeLost({ why, fromTXID, toTXID }: LostStates): string {
  const which =
    fromTXID === toTXID ? `TXID ${hex(fromTXID)}` : `TXIDs ${hex(fromTXID)} to ${hex(toTXID)}`;
  return (
    `  ! ${which} cannot be restored from any destination: files with them are ${why} everywhere; ` +
    'later states can be restored from the next full snapshot on'
  );
}

/** The first ones, and how many there are. */
function some<Item>(items: readonly Item[], describe: (item: Item) => string): string[] {
  const more = items.length - FILES_SHOWN_MAX;
  const shown = items.slice(0, FILES_SHOWN_MAX).map(describe);
  return more <= 0 ? shown : [...shown, `    and ${more} more: see -json`];
}

export function repairToJSON({ database, destinations, mode, report }: Repaired): object {
  const targetOf = new Map(destinations.map(({ name, target }) => [name, target]));
  const toFile = ({ file, ...rest }: DamagedFile): object => ({ file: nameOf(file), ...rest });
  return {
    database,
    result: outcomeOf(report, mode),
    dry_run: mode === 'dry-run',
    destinations: report.destinations.map((one) => ({
      replica: one.name,
      target: targetOf.get(one.name),
      files: one.files,
      lacking: one.lacking,
      damaged: one.damaged.map(toFile),
      still_damaged: one.stillDamaged.map(nameOf),
      copied: one.copies.map(({ file, reason, from, sizeBytes }) => {
        return { file: nameOf(file), reason, from, size: sizeBytes };
      }),
      failures: one.failures.map(toFile),
      unread: one.unread.map(toFile),
      stuck_at: one.stuckAt === undefined ? undefined : hex(one.stuckAt),
    })),
    lost: report.lost.map(({ why, fromTXID, toTXID }) => {
      return { why, from_txid: hex(fromTXID), to_txid: hex(toTXID) };
    }),
    conflicts: report.conflicts.map(({ file, destinations: names }) => {
      return { file: nameOf(file), replicas: names };
    }),
    histories: report.groups,
    unanswered: report.unanswered.map(({ name, code, why }) => ({ replica: name, code, why })),
  };
}

/** As in a folder: "0/0000000000000001-0000000000000001.ltx". */
function nameOf({ level, minTXID, maxTXID }: DamagedFile['file']): string {
  return `${level}/${hex(minTXID)}-${hex(maxTXID)}.ltx`;
}

function hex(txid: bigint): string {
  return txid.toString(16).padStart(16, '0');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
