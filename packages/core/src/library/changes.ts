/** Derives events from two statuses of the same databases. Pure. */

import type { DatabaseStatus, DestinationStatus } from '../replicate/status/status.ts';
import type { SluiceEvent } from './events.ts';

/** What has changed since `before`. A database or destination that is not in `before` is new. */
export function changesBetween(
  before: readonly DatabaseStatus[],
  after: readonly DatabaseStatus[],
): SluiceEvent[] {
  return after.flatMap((database) => {
    const old = before.find(({ path }) => path === database.path);
    return [...ofDatabase(old, database), ...ofDestinations(old, database)];
  });
}

function ofDatabase(old: DatabaseStatus | undefined, now: DatabaseStatus): SluiceEvent[] {
  const { path: database, state, healthy } = now;
  if (old?.state === state && old.healthy === healthy) return [];
  return [{ kind: 'database', database, state, healthy }];
}

function ofDestinations(old: DatabaseStatus | undefined, now: DatabaseStatus): SluiceEvent[] {
  return now.destinations.flatMap((destination) => {
    const earlier = old?.destinations.find(({ name }) => name === destination.name);
    return ofDestination(now.path, earlier, destination);
  });
}

function ofDestination(
  database: string,
  old: DestinationStatus | undefined,
  { name: destination, state, txid, lastError }: DestinationStatus,
): SluiceEvent[] {
  const events: SluiceEvent[] = [];
  if (old?.state !== state) {
    const error =
      state === 'failing' && lastError !== undefined
        ? { code: lastError.code, message: lastError.message }
        : undefined;
    events.push({ kind: 'destination', database, destination, state, error });
  }
  if (txid !== undefined && txid !== old?.txid) {
    events.push({ kind: 'replicated', database, destination, txid });
  }
  return events;
}
