/**
 * `sluice-drill.json` beside the backup: the result of the last drill, so that it can be seen without this
 * machine. Litestream ignores the object. It holds no names of this machine.
 */

import { Replica, type DrillReport } from '@sluice/core';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';

/** Name of the object below the path of the replica. */
export const CERTIFICATE_NAME = 'sluice-drill.json';

/** Of a long text or list; the object stays far below the limit of named objects (1 MiB). */
const TEXT_LENGTH_MAX = 2_000;
const ITEMS_MAX = 100;

export interface CertificateFacts {
  readonly version: string;
  readonly integrityCheck: string;
  /** Time of the last drill that was ok, before this one. */
  readonly lastSuccessAt: string | undefined;
}

/** The text of the object. Pure. */
export function toCertificate(report: DrillReport, facts: CertificateFacts): string {
  const { result, at, comparison, assertions, problems } = report;
  const certificate = {
    format: 1,
    written_by: `sluice ${facts.version}`,
    result,
    kind: report.kind,
    at,
    last_success_at: result === 'ok' ? at : facts.lastSuccessAt,
    txid: report.txid,
    generation: report.generation,
    position: report.position,
    timestamp: report.timestamp,
    newest_txid: report.newestTXID,
    rto_seconds: toSeconds(report.restoreMs),
    rpo_seconds: toSeconds(report.lossWindowMs),
    size: report.databaseBytes,
    files_read: report.filesRead,
    bytes_read: report.bytesRead,
    check: facts.integrityCheck,
    comparison: comparison.kind,
    pages_compared: comparison.kind === 'equal' ? comparison.pages : undefined,
    assertions: assertions.slice(0, ITEMS_MAX).map(({ sql, failure }) => ({
      sql: shorten(sql),
      holds: failure === undefined,
    })),
    problems: problems.slice(0, ITEMS_MAX).map(({ message, code, object }) => ({
      message: shorten(message),
      code,
      object,
    })),
  };
  return `${JSON.stringify(certificate, undefined, 2)}\n`;
}

/** Codes that mean: this is not a backup of this database, or not its place. Nothing is written there. */
const NOT_OURS: ReadonlySet<string | undefined> = new Set([
  'REPLICA_CONFLICT',
  'REPLICA_DESTINATION_NOT_FOUND',
  'RESTORE_NO_SNAPSHOT',
]);

/** Whether the drill saw a backup of this database there. Pure. */
export function isCertifiable({ result, problems, filesListed }: DrillReport): boolean {
  if (problems.some(({ code }) => NOT_OURS.has(code))) return false;
  return filesListed !== undefined || result === 'failed';
}

/** Errors are those of the destination; `connections` must be open for writing. */
export async function writeCertificate(
  destination: DestinationConfig,
  connections: Destinations,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  const { client } = await connections.connect(destination, signal);
  const replica = new Replica(client, destination.path);
  await replica.objects.put(CERTIFICATE_NAME, Buffer.from(text), { signal });
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

function shorten(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`;
}
