/** One database: its verdict, destinations, restorable moments, measurements and errors. */

import type { DatabaseStatus } from '@sluice/core';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { DatabaseRow } from '../src/rows.ts';
import type { CostView, DrillSummary, Samples } from '../src/source.ts';
import { judge } from '../src/verdict.ts';
import { describeBytes, describeSeconds } from '../src/words.ts';
import { get } from './api.ts';
import { Costs } from './costs.tsx';
import type { Details } from './details.ts';
import { Errors } from './errors.tsx';
import { Age, shortTXID } from './grid.tsx';
import { useLoaded, useNow, type Loaded } from './hooks.ts';
import { serverNow, type Live } from './live.ts';
import { Limits } from './limits.tsx';
import { Measurements } from './measurements.tsx';
import { Moments } from './moments.tsx';
import { Causes, VerdictBox } from './overview.tsx';
import { Panel } from './panel.tsx';
import type { Session } from './session.tsx';
import { stateOf } from './table.ts';

/** The rows are live; sizes and measurements are read again after this. */
const READ_MS = 10_000;

interface DatabaseProps {
  readonly path: string;
  readonly row: DatabaseRow | undefined;
  readonly live: Live;
  readonly session: Session;
  readonly close: () => void;
}

export function DatabaseView({ path, row, live, session, close }: DatabaseProps): JSX.Element {
  const read = useNow(READ_MS);
  const db = path;
  const isLive = live.connection.kind === 'live' && row !== undefined;
  const key = isLive ? `${read} ${JSON.stringify(row)}` : undefined;
  const details = useKept(
    useLoaded(key, async (signal) => await get<Details>('database', { db }, signal)),
  );
  const samples = useKept(
    useLoaded(
      isLive ? String(read) : undefined,
      async (signal) => await get<Samples | null>('samples', { db }, signal),
    ),
  );
  const verdict = useMemo(
    () =>
      judge({
        connection: live.connection,
        unreadable: live.unreadable,
        databases: live.databases === undefined ? undefined : row === undefined ? [] : [row],
        nowMs: serverNow(live),
      }),
    [live, row],
  );
  const slash = path.lastIndexOf('/') + 1;
  return (
    <>
      <p class="crumbs">
        <a
          href="#"
          onClick={(event) => {
            event.preventDefault();
            close();
          }}
        >
          ← All databases
        </a>
      </p>
      <div class="title">
        <h1>{path.slice(slash)}</h1>
        <span class="quiet">{path}</span>
      </div>
      {row === undefined && live.databases !== undefined ? (
        <section class="panel">
          <p>There is no database of this path here.</p>
        </section>
      ) : (
        <>
          <VerdictBox verdict={verdict} level={2} />
          <Causes causes={verdict.causes} />
        </>
      )}
      {row !== undefined && <DestinationTable row={row} live={live} details={details} />}
      {row !== undefined && session.state?.hasHistory === true && (
        <Moments
          path={path}
          drills={details?.drills}
          settings={details?.settings}
          session={session}
        />
      )}
      {details !== undefined && session.state?.hasSamples === true && (
        <Measurements samples={samples ?? undefined} settings={details.settings} />
      )}
      {details !== undefined && (
        <div class="columns">
          <Limits details={details} />
          <Errors details={details} samples={samples ?? undefined} />
        </div>
      )}
      {row !== undefined && session.state?.hasCosts === true && (
        <Costs load={async (signal) => await get<readonly CostView[]>('costs', { db }, signal)} />
      )}
    </>
  );
}

/** The last value, also while the next one is loaded or has failed. */
function useKept<T>({ value }: Loaded<T>): T | undefined {
  const box = useMemo<{ value: T | undefined }>(() => ({ value: undefined }), []);
  if (value !== undefined) box.value = value;
  return box.value;
}

interface TableProps {
  readonly row: DatabaseRow;
  readonly live: Live;
  readonly details: Details | undefined;
}

function DestinationTable({ row, live, details }: TableProps): JSX.Element {
  const nowMs = serverNow(live);
  return (
    <Panel title="Destinations">
      <div class="scroll" tabIndex={0} role="region" aria-label="Destinations">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col">Lag</th>
              <th scope="col">Last success</th>
              <th scope="col">Newest TXID</th>
              <th scope="col">To send</th>
              <th scope="col">Stored</th>
              <th scope="col">Last drill</th>
            </tr>
          </thead>
          <tbody>
            {row.destinations.map((each) => {
              const full = details?.status.destinations.find(({ name }) => name === each.name);
              const state = stateOf(row, each, nowMs);
              return (
                <tr key={each.name}>
                  <td>
                    {each.name}
                    <br />
                    <span class="quiet">{each.target}</span>
                  </td>
                  <td>
                    <span class={`pill ${state.color}`}>{state.label}</span>
                  </td>
                  <td>{each.lagSeconds === 0 ? '0 s' : describeSeconds(each.lagSeconds)}</td>
                  <td>
                    <Age at={each.lastSuccessAt} nowMs={nowMs} none="never" />
                  </td>
                  <td class="txid" title={each.txid}>
                    {shortTXID(each.txid)}
                  </td>
                  <td>{toSend(full)}</td>
                  <td>{stored(full)}</td>
                  <td>
                    <Drill drill={each.drill} isKnown={row.drillsKnown} nowMs={nowMs} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

type Full = DatabaseStatus['destinations'][number] | undefined;

function toSend(full: Full): string {
  if (full === undefined) return '';
  if (full.pendingFiles === 0) return 'nothing';
  return `${full.pendingFiles} ${full.pendingFiles === 1 ? 'file' : 'files'}, ${describeBytes(full.pendingBytes)}`;
}

function stored(full: Full): string {
  if (full?.files === undefined) return '';
  return `${full.files.toLocaleString('en-US')} files, ${describeBytes(full.bytes ?? 0)}`;
}

interface DrillProps {
  readonly drill: DrillSummary | undefined;
  readonly isKnown: boolean;
  readonly nowMs: number;
}

function Drill({ drill, isKnown, nowMs }: DrillProps): JSX.Element {
  if (!isKnown) return <span class="quiet">not read</span>;
  if (drill?.last === undefined) {
    return <span class="quiet">never{drill?.everySeconds === undefined ? '' : ', scheduled'}</span>;
  }
  const { result, at, restoreMs, problems } = drill.last;
  return (
    <>
      <span class={result === 'failed' ? 'bad' : undefined}>{result}</span>{' '}
      <Age at={at} nowMs={nowMs} none="" />
      {restoreMs !== undefined && (
        <>
          <br />
          <span class="quiet">restored in {describeSeconds(restoreMs / 1_000)}</span>
        </>
      )}
      {problems.length > 0 && (
        <>
          <br />
          <span class="bad">{problems[0]}</span>
        </>
      )}
    </>
  );
}
