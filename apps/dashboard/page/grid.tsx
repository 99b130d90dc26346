/** The table. Only the visible rows exist, so that 10,000 cost as little as 20. */

import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { describeAge, describeSeconds, toClock } from '../src/words.ts';
import { linkTo, useMedia, useNow } from './hooks.ts';
import { serverNow, type Live } from './live.ts';
import type { SortKey, Sorting, TableRow } from './table.ts';

const ROW_PX = 41;
/** On a phone, a row has several lines. */
const NARROW_ROW_PX = 84;
/** Rows outside of the visible part that exist, for fast scrolling. */
const EXTRA_ROWS = 8;
/** Screen rows before the table is laid out. */
const FIRST_HEIGHT_PX = 640;
const PAGE_ROWS = 10;
/** Ages are written again after this. */
const AGES_MS = 1_000;

const COLUMNS: readonly { readonly key: SortKey; readonly title: string }[] = [
  { key: 'database', title: 'Database' },
  { key: 'destination', title: 'Destination' },
  { key: 'state', title: 'State' },
  { key: 'lag', title: 'Lag' },
  { key: 'success', title: 'Last success' },
  { key: 'txid', title: 'Newest TXID' },
  { key: 'drill', title: 'Last drill' },
];

interface GridProps {
  readonly rows: readonly TableRow[];
  readonly sorting: Sorting;
  readonly setSorting: (sorting: Sorting) => void;
  readonly live: Live;
  readonly open: (path: string) => void;
}

export function Grid({ rows, sorting, setSorting, live, open }: GridProps): JSX.Element {
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(FIRST_HEIGHT_PX);
  /** The row that gets the focus when it exists: keys may come faster than rows are drawn. */
  const wanted = useRef<number | undefined>(undefined);
  const [moves, setMoves] = useState(0);
  const isNarrow = useMedia('(max-width: 760px)');
  useNow(AGES_MS);
  const rowPx = isNarrow ? NARROW_ROW_PX : ROW_PX;
  useEffect(() => {
    const element = body.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const selector = `[data-index="${wanted.current}"] a`;
    const link = body.current?.querySelector<HTMLElement>(selector);
    if (link === null || link === undefined) return;
    link.focus({ preventScroll: true });
    wanted.current = undefined;
  }, [moves, top]);

  const first = Math.max(0, Math.floor(top / rowPx) - EXTRA_ROWS);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowPx) + EXTRA_ROWS);
  const nowMs = serverNow(live);

  const goTo = (index: number): void => {
    const element = body.current;
    if (element === null || rows.length === 0) return;
    const next = Math.min(rows.length - 1, Math.max(0, index));
    const at = next * rowPx;
    if (at < element.scrollTop) element.scrollTop = at;
    else if (at + rowPx > element.scrollTop + element.clientHeight) {
      element.scrollTop = at + rowPx - element.clientHeight;
    }
    setTop(element.scrollTop);
    wanted.current = next;
    setMoves((count) => count + 1);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
    const focused = row?.dataset['index'] ?? Math.ceil(top / rowPx) - 1;
    const index = wanted.current ?? Number(focused);
    const next: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + PAGE_ROWS,
      PageUp: index - PAGE_ROWS,
      Home: 0,
      End: rows.length - 1,
    };
    const to = next[event.key];
    if (to === undefined) return;
    event.preventDefault();
    goTo(to);
  };
  return (
    <div
      class="grid"
      role="table"
      aria-label="Databases and destinations"
      aria-rowcount={rows.length + 1}
    >
      <div class="head" role="row" aria-rowindex={1}>
        {COLUMNS.map(({ key, title }) => (
          <ColumnHead key={key} {...{ column: key, title, sorting, setSorting }} />
        ))}
      </div>
      <div
        class="body"
        role="rowgroup"
        tabIndex={0}
        ref={body}
        onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}
        onKeyDown={onKeyDown}
      >
        <div class="space" role="presentation" style={{ height: `${rows.length * rowPx}px` }}>
          {rows.slice(first, last).map((row, offset) => (
            <Row
              key={`${row.database.path} ${row.destination?.name ?? ''}`}
              row={row}
              index={first + offset}
              topPx={(first + offset) * rowPx}
              nowMs={nowMs}
              open={open}
            />
          ))}
        </div>
        {rows.length === 0 && <p class="nothing">Nothing matches.</p>}
      </div>
    </div>
  );
}

interface HeadProps {
  readonly column: SortKey;
  readonly title: string;
  readonly sorting: Sorting;
  readonly setSorting: (sorting: Sorting) => void;
}

function ColumnHead({ column, title, sorting, setSorting }: HeadProps): JSX.Element {
  const isSorted = sorting.key === column;
  const order = sorting.direction === 1 ? 'ascending' : 'descending';
  // The worst first, and the names from A.
  const start = column === 'lag' ? -1 : 1;
  const direction = isSorted ? (sorting.direction === 1 ? -1 : 1) : start;
  return (
    <div role="columnheader" class={`cell ${column}`} aria-sort={isSorted ? order : 'none'}>
      <button type="button" onClick={() => setSorting({ key: column, direction })}>
        {title}
        <span aria-hidden="true" class="arrow">
          {isSorted ? (sorting.direction === 1 ? '↑' : '↓') : ''}
        </span>
      </button>
    </div>
  );
}

interface RowProps {
  readonly row: TableRow;
  readonly index: number;
  readonly topPx: number;
  readonly nowMs: number;
  readonly open: (path: string) => void;
}

function Row({ row, index, topPx, nowMs, open }: RowProps): JSX.Element {
  const { database, destination, state } = row;
  const { path } = database;
  const slash = path.lastIndexOf('/') + 1;
  return (
    <div
      class="line"
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      style={{ transform: `translateY(${topPx}px)` }}
      onClick={() => open(path)}
    >
      <div role="cell" class="cell database" title={path}>
        <a href={linkTo(path)} onClick={(event) => event.stopPropagation()}>
          {path.slice(slash)}
        </a>
        <span class="folder">{path.slice(0, slash)}</span>
      </div>
      <div role="cell" class="cell destination" title={destination?.target}>
        {destination?.name ?? '–'}
      </div>
      <div role="cell" class="cell state">
        <span class={`pill ${state.color}`}>{state.label}</span>
      </div>
      <div role="cell" class="cell lag">
        {lagText(row)}
      </div>
      <div role="cell" class="cell success">
        <Age at={destination?.lastSuccessAt} nowMs={nowMs} none="never" />
      </div>
      <div role="cell" class="cell txid" title={destination?.txid}>
        {shortTXID(destination?.txid)}
      </div>
      <div role="cell" class="cell drill">
        <DrillText row={row} nowMs={nowMs} />
      </div>
    </div>
  );
}

function lagText({ database, destination }: TableRow): string {
  if (destination === undefined || database.staleSince !== undefined) return '?';
  return destination.lagSeconds === 0 ? '0 s' : describeSeconds(destination.lagSeconds);
}

/** Without the zeros in front. */
export function shortTXID(txid: string | undefined): string {
  if (txid === undefined) return '–';
  return txid.replace(/^0+(?=.)/, '');
}

function DrillText({ row, nowMs }: { row: TableRow; nowMs: number }): JSX.Element {
  const { database, destination } = row;
  if (!database.drillsKnown) return <span class="quiet">not read</span>;
  const { last, failure } = destination?.drill ?? {};
  if (last === undefined) return <span class="quiet">never</span>;
  const isFailed = failure !== undefined || last.result === 'failed';
  return (
    <span class={isFailed ? 'bad' : undefined}>
      {isFailed ? 'failed' : last.result === 'ok' ? 'ok' : 'unclear'}{' '}
      <Age at={last.at} nowMs={nowMs} none="" />
    </span>
  );
}

interface AgeProps {
  readonly at: string | undefined;
  readonly nowMs: number;
  readonly none: string;
}

/** "4 min ago", with the time itself for who points at it. */
export function Age({ at, nowMs, none }: AgeProps): JSX.Element {
  if (at === undefined) return <span class="quiet">{none}</span>;
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(at)) / 1_000));
  return (
    <time dateTime={at} title={toClock(at)}>
      {seconds < 2 ? 'just now' : `${describeAge(seconds)} ago`}
    </time>
  );
}
