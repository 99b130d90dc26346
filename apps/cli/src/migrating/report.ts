/** Prints what a migration does: the keys, the state of the old destinations, and the file. */

import { messageOf } from '@sluice/core';
import { isError } from '@sluice/core/backend';
import { formatBytes } from '@sluice/core/config';
import { printTable, type Shell } from '../shell.ts';
import type { KeyRow, SecretFile } from './keys.ts';
import type { CheckedDestination } from './survey.ts';

export function printKeys(rows: readonly KeyRow[], shell: Shell): void {
  printTable(
    shell,
    ['key', 'becomes', 'note'],
    rows.map(({ key, becomes, note }) => [key, becomes ?? '-', note]),
  );
}

export function printDestinations(checked: readonly CheckedDestination[], shell: Shell): void {
  printTable(
    shell,
    ['database', 'destination', 'target', 'newest state'],
    checked.map((each) => [
      each.database,
      each.destination.name,
      each.destination.target,
      describeState(each),
    ]),
  );
}

function describeState({ result }: CheckedDestination): string {
  if (result.kind === 'failed') {
    return isError(result.error)
      ? `cannot be restored (${result.error.code})`
      : 'cannot be restored';
  }
  const { name, writtenAt, files, sizeBytes } = result.state;
  const state = `${name}, written at ${writtenAt.toISOString()}, in ${files === 1 ? '1 file' : `${files} files`}, ${formatBytes(sizeBytes)}`;
  if (result.restoredMs === undefined) return state;
  return `${state}; restored and checked in ${(result.restoredMs / 1_000).toFixed(1)} s`;
}

/** The fields of -json that are the same whether a file was written or not. */
export function toJSON(
  rows: readonly KeyRow[],
  checked: readonly CheckedDestination[],
  secretFiles: readonly SecretFile[],
  shell: Shell,
): object {
  return {
    keys: rows.map(({ key, becomes = null, note }) => ({ key, becomes, note })),
    destinations: checked.map(({ database, destination: { name, type, target }, result }) => ({
      database,
      name,
      type,
      target,
      ...(result.kind === 'failed'
        ? {
            ok: false,
            message: shell.secrets.clean(messageOf(result.error)),
            ...(isError(result.error) ? { code: result.error.code } : {}),
          }
        : {
            ok: true,
            txid: result.state.txid,
            generation: result.state.generation,
            timestamp: result.state.writtenAt.toISOString(),
            files: result.state.files,
            size: result.state.sizeBytes,
            restored_ms: result.restoredMs,
          }),
    })),
    secret_files: secretFiles.map(({ file }) => file),
  };
}

/** The lines above the edited text: where it comes from, and the keys that changed or are left out. */
export function headOf(source: string, schemaURL: string, rows: readonly KeyRow[]): string {
  const leftOut = rows.filter(({ becomes }) => becomes === undefined);
  const reasons = new Set(leftOut.map(({ note }) => note));
  const changed = rows.filter(({ becomes, note }) => becomes !== undefined && note !== '');
  const shown = ({ key, value }: KeyRow): string =>
    value === undefined ? key : `${key} (${value})`;
  const lines = [
    `yaml-language-server: $schema=${schemaURL}`,
    `Made by "sluice migrate" from ${source}. All keys: docs/configuration.md.`,
    ...(leftOut.length === 0 ? [] : ['', 'Left out, because they have no effect here:']),
    ...[...reasons].map((reason) => {
      const keys = leftOut.filter(({ note }) => note === reason).map(shown);
      return `  ${keys.join(', ')}: ${reason}`;
    }),
    ...(changed.length === 0 ? [] : ['', 'Changed, or with another effect here:']),
    ...changed.map(({ becomes, note }) => `  ${becomes}: ${note}`),
  ];
  return `${lines.map((line) => `# ${line}`.trimEnd()).join('\n')}\n\n`;
}
