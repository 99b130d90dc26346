/**
 * Live rows for open pages. All pages share one reader, which works only while one is open, and which takes at most
 * a small share of the processor: the more databases there are, the less often it reads.
 *
 * Each page gets all rows first, then only those that have changed. One that reads too slowly gets the newest state
 * when it reads again, so nothing queues up.
 */

import { messageOf } from './errors.ts';
import { toRow, type DatabaseRow } from './rows.ts';
import type { DashboardSource } from './source.ts';

/** Shortest time between two readings. */
const INTERVAL_MS_MIN = 2_000;
/** Longest time between two readings: the page shows that it is alive. */
const INTERVAL_MS_MAX = 10_000;
/** Reading takes at most this share of a core. */
const LOAD_MAX = 0.004;
/** A source that does not answer within this time cannot be read. */
const STATUS_MS_MAX = 10_000;
/** Open pages; each holds a connection. */
const CLIENTS_MAX = 64;
const ENCODER = new TextEncoder();

/** Sent after each reading. */
export interface Tick {
  /** Time of the reading, by the clock of the source. */
  readonly at: string;
  /** When the next message is due at the latest. */
  readonly nextMs: number;
  /** Why the source could not be read. */
  readonly unreadable?: string | undefined;
  /** All rows replace those before; otherwise only these have changed. */
  readonly isAll: boolean;
  readonly rows: readonly DatabaseRow[];
  readonly removed: readonly string[];
}

interface Kept {
  readonly row: DatabaseRow;
  readonly text: string;
  /** Number of the reading that changed it. */
  readonly version: number;
}

interface Client {
  /** The newest reading that was sent to it. */
  version: number;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

export class Feed {
  readonly #source: DashboardSource;
  readonly #intervalMsMin: number;
  readonly #clients = new Set<Client>();
  #rows = new Map<string, Kept>();
  /** When databases were removed, by path. */
  #removed = new Map<string, number>();
  #version = 0;
  #readAt = new Date(0);
  #nextMs: number;
  #unreadable: string | undefined;
  /** Whether the reader has read since it began: what it had read before may be hours old. */
  #isCurrent = false;
  #stop: AbortController | undefined;

  constructor(source: DashboardSource, intervalMsMin: number = INTERVAL_MS_MIN) {
    this.#source = source;
    this.#intervalMsMin = intervalMsMin;
    this.#nextMs = intervalMsMin;
  }

  /** A stream of server-sent events; undefined if too many pages are open. */
  open(): ReadableStream<Uint8Array> | undefined {
    if (this.#clients.size >= CLIENTS_MAX) return undefined;
    let client: Client | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          client = { version: 0, controller };
          this.#clients.add(client);
          this.#begin();
        },
        pull: () => client && this.#send(client),
        cancel: () => client && this.#remove(client),
      },
      { highWaterMark: 1 },
    );
  }

  /** One reading, without a stream. */
  async read(signal: AbortSignal): Promise<Tick> {
    if (!this.#isCurrent) await this.#readOnce(signal);
    return this.#tickSince(0);
  }

  #begin(): void {
    if (this.#stop !== undefined) return;
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  #remove(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#stop?.abort(new Error('no page is open'));
    this.#stop = undefined;
    this.#isCurrent = false;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#readOnce(signal);
      if (signal.aborted) return;
      this.#isCurrent = true;
      for (const client of this.#clients) this.#send(client);
      await waitFor(this.#nextMs, signal);
    }
  }

  /** Never rejects. */
  async #readOnce(signal: AbortSignal): Promise<void> {
    const startedMs = cpuMs();
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(STATUS_MS_MAX)]);
      const statuses = await untilAborted(this.#source.status(limit), limit);
      this.#take(statuses);
      this.#unreadable = undefined;
    } catch (error) {
      this.#unreadable = messageOf(error);
    }
    this.#version += 1;
    this.#readAt = new Date();
    const tookMs = cpuMs() - startedMs;
    this.#nextMs = Math.min(
      Math.max(this.#intervalMsMin, tookMs / LOAD_MAX),
      Math.max(this.#intervalMsMin, INTERVAL_MS_MAX),
    );
  }

  #take(statuses: Awaited<ReturnType<DashboardSource['status']>>): void {
    const version = this.#version + 1;
    const nowMs = Date.now();
    const rows = new Map<string, Kept>();
    for (const status of statuses) {
      const { path } = status;
      const row = toRow(status, {
        drills: this.#source.drills(path),
        maxLagSeconds: this.#source.settings(path)?.maxLagSeconds,
        nowMs,
      });
      const text = JSON.stringify(row);
      const before = this.#rows.get(path);
      rows.set(path, before?.text === text ? before : { row, text, version });
      this.#removed.delete(path);
    }
    for (const path of this.#rows.keys()) if (!rows.has(path)) this.#removed.set(path, version);
    this.#rows = rows;
    this.#forgetRemoved();
  }

  /** Once every open page knows of them. */
  #forgetRemoved(): void {
    const known = Math.min(...[...this.#clients].map(({ version }) => version));
    for (const [path, version] of this.#removed) if (version <= known) this.#removed.delete(path);
  }

  #send(client: Client): void {
    const { controller, version } = client;
    if (!this.#isCurrent || this.#version === version) return;
    if ((controller.desiredSize ?? 0) <= 0) return; // pull() comes later
    const tick = this.#tickSince(version);
    client.version = this.#version;
    controller.enqueue(ENCODER.encode(`event: status\ndata: ${JSON.stringify(tick)}\n\n`));
  }

  #tickSince(version: number): Tick {
    const isAll = version === 0;
    const changed = [...this.#rows.values()].filter((each) => isAll || each.version > version);
    const removed = [...this.#removed].filter(([, at]) => !isAll && at > version);
    return {
      at: this.#readAt.toISOString(),
      nextMs: Math.round(this.#nextMs),
      unreadable: this.#unreadable,
      isAll,
      rows: changed.map(({ row }) => row),
      removed: removed.map(([path]) => path),
    };
  }
}

/** Rejects when `signal` is aborted, even if `work` ignores it. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(toReason(signal));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    aborted.promise.catch(() => undefined);
  }
}

function toReason(signal: AbortSignal): Error {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof DOMException && reason.name === 'TimeoutError') {
    return new Error(`no status within ${STATUS_MS_MAX / 1_000} s`);
  }
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Time of the processor that this thread has used: other processes may slow down the clock on the wall. */
function cpuMs(): number {
  // Not of the other threads, which are busy when the databases are. Node 22 has it only in later versions.
  const { user, system } =
    'threadCpuUsage' in process ? process.threadCpuUsage() : (process as NodeJS.Process).cpuUsage();
  return (user + system) / 1_000;
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
