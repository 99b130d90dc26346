/** All databases: one verdict, what is wrong, and the table. */

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Cause, PageVerdict } from '../src/verdict.ts';
import { toClock } from '../src/words.ts';
import { Grid } from './grid.tsx';
import { linkTo, useNow } from './hooks.ts';
import { serverNow, type Live } from './live.ts';
import { search, sort, toTableRows, type Sorting } from './table.ts';

/** Causes that are shown at once; a button shows the others. */
const CAUSES_SHOWN = 3;
const CAUSES_MAX = 50;
/** States that depend on the time, such as an overdue drill, are computed again after this. */
const STATES_MS = 30_000;

interface OverviewProps {
  readonly live: Live;
  readonly verdict: PageVerdict;
  readonly open: (path: string) => void;
}

export function Overview({ live, verdict, open }: OverviewProps): JSX.Element {
  const { databases, connection } = live;
  const [query, setQuery] = useState('');
  const [shown, setShown] = useState<'all' | 'problems'>('all');
  const [sorting, setSorting] = useState<Sorting>({ key: 'state', direction: 1 });
  const minute = useNow(STATES_MS);
  const all = useMemo(() => toTableRows(databases ?? [], serverNow(live)), [databases, minute]);
  const wrong = useMemo(() => all.filter(({ state }) => state.color !== 'green'), [all]);
  const rows = useMemo(
    () => sort(search(shown === 'all' ? all : wrong, query), sorting),
    [all, wrong, shown, query, sorting],
  );
  const isLost = connection.kind === 'lost';
  return (
    <>
      <VerdictBox verdict={verdict} level={1} />
      <Causes causes={verdict.causes} />
      {databases !== undefined && databases.length > 0 && (
        <section class={isLost ? 'panel flush faded' : 'panel flush'} aria-labelledby="databases">
          <div class="toolbar">
            <h2 id="databases">Databases</h2>
            <span class="quiet" role="status">
              {countOf(rows.length, all.length)}
            </span>
            <span class="grow" />
            <div class="choice" role="group" aria-label="Rows shown">
              <button type="button" aria-pressed={shown === 'all'} onClick={() => setShown('all')}>
                All
              </button>
              <button
                type="button"
                aria-pressed={shown === 'problems'}
                onClick={() => setShown('problems')}
              >
                Problems {wrong.length > 0 && <span class="count">{wrong.length}</span>}
              </button>
            </div>
            <input
              type="search"
              placeholder="Search"
              aria-label="Search databases and destinations"
              value={query}
              onInput={({ currentTarget }) => setQuery(currentTarget.value)}
            />
          </div>
          <Grid rows={rows} sorting={sorting} setSorting={setSorting} live={live} open={open} />
        </section>
      )}
    </>
  );
}

function countOf(shown: number, all: number): string {
  const total = `${all.toLocaleString('en-US')} ${all === 1 ? 'row' : 'rows'}`;
  return shown === all ? total : `${shown.toLocaleString('en-US')} of ${total}`;
}

interface VerdictProps {
  readonly verdict: PageVerdict;
  /** Level of its heading. */
  readonly level: 1 | 2;
}

/** A screen reader says the answer when it changes, and not each second of the detail. */
export function VerdictBox({ verdict, level }: VerdictProps): JSX.Element {
  const { color, answer, detail, since } = verdict;
  const Heading = level === 1 ? 'h1' : 'h2';
  return (
    <section class={`verdict ${color}`} aria-label="Verdict" data-color={color}>
      <p class="hidden" role="status">
        Would I lose data now? {answer}
      </p>
      <Sign color={color} />
      <div>
        <p class="question">Would I lose data now?</p>
        <Heading class="answer">{answer}</Heading>
        <p class="detail">
          {detail}
          {since !== undefined && color !== 'green' && <span> Since {toClock(since)}.</span>}
        </p>
      </div>
    </section>
  );
}

/** A shape for each color: color alone says nothing to some people. */
function Sign({ color }: { color: PageVerdict['color'] }): JSX.Element {
  const shapes = {
    green: <path d="M12 25l8 8 16-17" />,
    amber: <path d="M24 12v15M24 34v.5" />,
    red: <path d="M15 15l18 18M33 15L15 33" />,
    gray: <path d="M14 24h.5M24 24h.5M34 24h.5" />,
  };
  return (
    <svg class="sign" viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">
      <circle cx="24" cy="24" r="23" />
      {shapes[color]}
    </svg>
  );
}

export function Causes({ causes }: { causes: readonly Cause[] }): JSX.Element | null {
  const [isOpen, setIsOpen] = useState(false);
  if (causes.length === 0) return null;
  const shown = causes.slice(0, isOpen ? CAUSES_MAX : CAUSES_SHOWN);
  const more = Math.min(causes.length, CAUSES_MAX) - shown.length;
  return (
    <section class="causes" aria-label="What is wrong">
      {shown.map((cause) => (
        <CauseBanner key={`${cause.database} ${cause.message}`} cause={cause} />
      ))}
      {more > 0 && (
        <button type="button" class="plain" onClick={() => setIsOpen(true)}>
          {more} more
        </button>
      )}
    </section>
  );
}

function CauseBanner({ cause }: { cause: Cause }): JSX.Element {
  const { color, database, databases, message, next, since } = cause;
  const others = databases - 1;
  return (
    <div class={`cause ${color}`}>
      <p>
        {database !== undefined && (
          <>
            <a href={linkTo(database)} title={database}>
              {database.split('/').at(-1)}
            </a>
            {others > 0 && ` and ${others.toLocaleString('en-US')} more`}
            {': '}
          </>
        )}
        {message}
        {since !== undefined && <span class="quiet"> · since {toClock(since)}</span>}
      </p>
      <p class="next">{next}</p>
    </div>
  );
}
