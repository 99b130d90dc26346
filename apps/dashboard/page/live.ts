/** The live rows: follows server-sent events, and knows when they have stopped. */

import { useEffect, useState } from 'preact/hooks';
import type { Tick } from '../src/feed.ts';
import type { DatabaseRow } from '../src/rows.ts';
import type { Connection } from '../src/verdict.ts';

export interface Live {
  readonly connection: Connection;
  readonly unreadable?: string | undefined;
  /** By path. undefined until they have arrived. */
  readonly databases: readonly DatabaseRow[] | undefined;
  /** Time of the last message by the clock of the source, and when it arrived by ours. */
  readonly at: string | undefined;
  readonly receivedMs: number;
}

/** Messages that may be missing before the connection counts as lost, and a delay of the network. */
const MISSED_MAX = 3;
const DELAY_MS = 3_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 10_000;

const START: Live = {
  connection: { kind: 'connecting' },
  databases: undefined,
  at: undefined,
  receivedMs: 0,
};

/** Now, by the clock of the source: that of this browser may be wrong. */
export function serverNow({ at, receivedMs }: Live): number {
  return at === undefined ? Date.now() : Date.parse(at) + performance.now() - receivedMs;
}

export function useLive(isEnabled: boolean): Live {
  const [live, setLive] = useState(START);
  useEffect(() => {
    if (!isEnabled) return undefined;
    return follow(setLive);
  }, [isEnabled]);
  return live;
}

function follow(set: (update: (before: Live) => Live) => void): () => void {
  let source: EventSource | undefined;
  let retryMs = RETRY_MS_MIN;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const rows = new Map<string, DatabaseRow>();
  const lose = (): void =>
    set((before) =>
      before.connection.kind === 'lost'
        ? before
        : { ...before, connection: { kind: 'lost', asOf: before.at } },
    );
  const again = (): void => {
    lose();
    source?.close();
    clearTimeout(silence);
    clearTimeout(retry);
    retry = setTimeout(connect, retryMs);
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  };
  const take = (tick: Tick): void => {
    retryMs = RETRY_MS_MIN;
    clearTimeout(silence);
    silence = setTimeout(again, MISSED_MAX * tick.nextMs + DELAY_MS);
    const isChanged = tick.isAll || tick.rows.length > 0 || tick.removed.length > 0;
    if (tick.isAll) rows.clear();
    for (const row of tick.rows) rows.set(row.path, row);
    for (const path of tick.removed) rows.delete(path);
    const isSeen = tick.unreadable === undefined || rows.size > 0;
    set((before) => ({
      connection: { kind: 'live' },
      unreadable: tick.unreadable,
      databases: isChanged ? (isSeen ? [...rows.values()] : undefined) : before.databases,
      at: tick.at,
      receivedMs: performance.now(),
    }));
  };
  function connect(): void {
    source = new EventSource('./api/events');
    source.addEventListener('status', ({ data }: MessageEvent<string>) =>
      take(JSON.parse(data) as Tick),
    );
    source.addEventListener('error', again);
  }
  connect();
  return () => {
    source?.close();
    clearTimeout(retry);
    clearTimeout(silence);
  };
}
