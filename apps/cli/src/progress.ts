/**
 * Progress of operations longer than two seconds: a bar on a terminal; elsewhere nothing, a line every
 * few seconds, or one JSON object a line.
 *
 * A timer draws, not the operation, so that a stalled one is seen to stall.
 */

import { formatBytes, formatDuration } from '@sluice/core/config';

/** Shorter operations need no progress. */
const DRAW_AFTER_MS = 2_000;
/** Time between two drawings, by form. */
const REDRAW_MS: Readonly<Record<Form, number>> = { bar: 200, lines: 5_000, events: 1_000 };
const TICK_MS = 200;
/** The rate is that of the last few seconds: at a change of speed, the time left follows. */
const RATE_MS = 10_000;
const WIDTH = 30;
const CLEAR_TO_END = '\u001b[K';

type Form = 'bar' | 'lines' | 'events';
type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };

export interface ProgressOptions {
  /**
   * `terminal`: only a bar, and nothing elsewhere. `text`: a bar or, elsewhere, lines. `events`: JSON
   * everywhere. Default `terminal`.
   */
  readonly form?: 'terminal' | 'text' | 'events' | undefined;
  readonly now?: (() => number) | undefined;
  /** Calls back again and again; returns how to end that. */
  readonly every?: ((ms: number, callback: () => void) => () => void) | undefined;
}

interface Sample {
  readonly at: number;
  readonly doneBytes: number;
}

export class ProgressBar {
  readonly #what: string;
  readonly #stream: Stream;
  readonly #form: Form | undefined;
  readonly #now: () => number;
  readonly #every: NonNullable<ProgressOptions['every']>;
  #stop: (() => void) | undefined;
  #startedAt = 0;
  #drawnAt: number | undefined;
  #doneBytes = 0;
  #totalBytes = 0;
  /** Of the last RATE_MS, oldest first. */
  #samples: Sample[] = [];

  constructor(what: string, stream: Stream, options: ProgressOptions = {}) {
    const { form = 'terminal', now = () => performance.now(), every = everySystem } = options;
    this.#what = what;
    this.#stream = stream;
    this.#now = now;
    this.#every = every;
    const elsewhere = form === 'text' ? 'lines' : undefined;
    this.#form = form === 'events' ? 'events' : stream.isTTY === true ? 'bar' : elsewhere;
  }

  update(doneBytes: number, totalBytes: number): void {
    if (this.#form === undefined) return;
    if (doneBytes < this.#doneBytes) this.#samples = []; // it began again
    this.#doneBytes = doneBytes;
    this.#totalBytes = totalBytes;
    if (this.#stop !== undefined) return;
    this.#startedAt = this.#now();
    this.#samples = [{ at: this.#startedAt, doneBytes }];
    this.#stop = this.#every(TICK_MS, () => this.#tick());
  }

  /** Removes the bar. The next update may start it again. */
  end(): void {
    this.#stop?.();
    this.#stop = undefined;
    if (this.#form === 'bar' && this.#drawnAt !== undefined)
      this.#stream.write(`\r${CLEAR_TO_END}`);
    this.#drawnAt = undefined;
    this.#doneBytes = 0;
  }

  #tick(): void {
    const form = this.#form;
    const now = this.#now();
    this.#samples.push({ at: now, doneBytes: this.#doneBytes });
    while ((this.#samples[0]?.at ?? now) < now - RATE_MS) this.#samples.shift();
    if (form === undefined || now - this.#startedAt < DRAW_AFTER_MS) return;
    if (this.#drawnAt !== undefined && now - this.#drawnAt < REDRAW_MS[form]) return;
    this.#drawnAt = now;
    this.#draw(form, this.#rate(now));
  }

  /** Bytes per second. */
  #rate(now: number): number {
    const [first] = this.#samples;
    if (first === undefined || first.at === now) return 0;
    return Math.round(((this.#doneBytes - first.doneBytes) * 1_000) / (now - first.at));
  }

  #draw(form: Form, rate: number): void {
    const [done, total] = [this.#doneBytes, this.#totalBytes];
    const secondsLeft = rate === 0 ? undefined : Math.ceil(Math.max(0, total - done) / rate);
    if (form === 'events') {
      const event = {
        event: 'progress',
        done_bytes: done,
        total_bytes: total,
        bytes_per_second: rate,
        seconds_left: secondsLeft,
      };
      this.#stream.write(`${JSON.stringify(event)}\n`);
      return;
    }
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft * 1_000)} left`;
    const text = `${Math.floor(share * 100)} % of ${formatBytes(total)}, ${formatBytes(rate)}/s${left}`;
    if (form === 'lines') {
      this.#stream.write(`${this.#what}: ${text}\n`);
      return;
    }
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    this.#stream.write(`\r${this.#what} [${bar}] ${text}${CLEAR_TO_END}`);
  }
}

function everySystem(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}
