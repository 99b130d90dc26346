/** The errors of a database, by kind. */

import type { DatabaseStatus, StatusError } from '@sluice/core';
import type { JSX } from 'preact';
import type { Samples } from '../src/source.ts';
import { toClock } from '../src/words.ts';
import type { Details } from './details.ts';
import { Panel } from './panel.tsx';

interface ErrorRow {
  readonly code: string;
  readonly where: string;
  readonly count: number | undefined;
  readonly at: string;
  readonly message: string;
}

export function Errors({
  details,
  samples,
}: {
  details: Details;
  samples: Samples | undefined;
}): JSX.Element {
  const rows = errorsOf(details.status, samples);
  return (
    <Panel title="Errors by kind">
      {rows.length === 0 ? (
        <p class="quiet">No error since the replicator started.</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Errors">
          <table>
            <thead>
              <tr>
                <th scope="col">Error</th>
                <th scope="col">Where</th>
                <th scope="col" class="number">
                  Seen
                </th>
                <th scope="col">Last</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ code, where, count, at, message }) => (
                <tr key={`${code} ${where}`}>
                  <td class="wrap">
                    {code}
                    <br />
                    <span class="quiet">{message}</span>
                  </td>
                  <td>{where}</td>
                  <td class="number">{count ?? '–'}</td>
                  <td>{toClock(at)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

/** Counted where the source counts; otherwise the last one of each kind. */
function errorsOf(status: DatabaseStatus, samples: Samples | undefined): ErrorRow[] {
  const rows = new Map<string, ErrorRow>();
  const add = (error: StatusError | undefined, where: string): void => {
    if (error === undefined) return;
    const { code, at, message } = error;
    rows.set(`${code} ${where}`, { code, where, at, message, count: undefined });
  };
  add(status.error, 'database');
  add(status.snapshotError, 'database');
  for (const { name, lastError, snapshotError, mergeError } of status.destinations) {
    for (const each of [lastError, snapshotError, mergeError]) add(each, name);
  }
  for (const { code, destination = 'database', count, lastAt: at, message } of samples?.errors ??
    []) {
    rows.set(`${code} ${destination}`, { code, where: destination, count, at, message });
  }
  return [...rows.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}
