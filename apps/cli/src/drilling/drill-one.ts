/** Drills one destination of a database, for the command and for the replicator's schedule. */

import {
  defaultMetaPath,
  drill,
  drillKept,
  type DrillOptions,
  type DrillReport,
  type DrillStart,
  type KeptDrillOptions,
  type RecordedDrill,
} from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { sentFrom } from '../restoring/records.ts';
import { openForDrill } from './layouts.ts';

export interface DrillRequest extends Pick<
  DrillOptions,
  | 'target'
  | 'integrityCheck'
  | 'assertions'
  | 'scratchBytesMax'
  | 'usable'
  | 'folder'
  | 'onProgress'
  | 'signal'
> {
  /** undefined if the destination was given by URL. */
  readonly database: DatabaseConfig | undefined;
  readonly destination: DestinationConfig;
  /** Where and up to which size the copy is kept for the next drill. */
  readonly kept?: KeptDrillOptions['kept'] | undefined;
  readonly connections: Destinations;
  /** 'none' if someone is watching. */
  readonly examinationMsMax: Exclude<DrillOptions['examinationMsMax'], undefined> | 'none';
  readonly logger: Logger;
}

/** Rejects only with the reason of the signal. Everything else is a result. */
export async function drillOne(request: DrillRequest): Promise<DrillReport> {
  const { database, destination, connections, logger, target, examinationMsMax } = request;
  const { name } = destination;
  const { path } = database?.options ?? {};
  const metaPath = database && metaPathOf(database);
  const live = path && metaPath ? { path, metaPath } : undefined;
  const sent = path ? await sentFrom(database, path, logger)(destination) : undefined;
  const options: DrillOptions = {
    ...request,
    name: `${name} (${destination.target})`,
    open: (signal) => openForDrill(destination, { connections, target, sent, signal }),
    sent,
    live,
    examinationMsMax: examinationMsMax === 'none' ? undefined : examinationMsMax,
  };
  if (request.kept === undefined) return await drill(options);
  const onNotKept = (message: string): void => {
    logger.warn(`${message}; the next drill of ${name} is a full one`);
  };
  return await drillKept({ ...options, kept: request.kept, onNotKept });
}

const CHECKS: readonly DrillRequest['integrityCheck'][] = ['none', 'quick', 'full'];

/** How a drill is recorded: what the configuration asks for decides what counts. */
export function toRecorded(
  { drills }: Pick<DatabaseConfig, 'drills'>,
  { name, target }: Pick<DestinationConfig, 'name' | 'target'>,
  startedBy: DrillStart,
  integrityCheck: DrillRequest['integrityCheck'],
): RecordedDrill {
  const { assertions: configured = [], integrityCheck: wanted = 'quick' } = drills[name] ?? {};
  const isWeaker = CHECKS.indexOf(integrityCheck) < CHECKS.indexOf(wanted);
  return { name, target, startedBy, configured, check: isWeaker ? 'weaker' : 'as configured' };
}

export function metaPathOf({ options }: Pick<DatabaseConfig, 'options'>): string {
  return options.metaPath ?? defaultMetaPath(options.path);
}
