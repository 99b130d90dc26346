/** Events for several readers. Each reader has its own bounded queue. */

import type { SluiceEvent } from './events.ts';

/** Events that wait for a reader. The oldest are dropped above this: a reader that stopped reading must not cost memory. */
const QUEUED_MAX = 1_000;

export class EventQueues {
  readonly #readers = new Set<EventReader>();
  #isClosed = false;
  /** Gets what comes before the first reader. */
  #first: EventReader | undefined = this.#add();

  push(event: SluiceEvent): void {
    for (const reader of this.#readers) reader.push(event);
  }

  /** Gets the events from now on; the first reader also those before. */
  open(): AsyncIterableIterator<SluiceEvent> {
    const reader = this.#first ?? this.#add();
    this.#first = undefined;
    return reader;
  }

  /** Readers get what is queued, then the end. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) reader.end();
  }

  #add(): EventReader {
    const reader = new EventReader((closed) => this.#readers.delete(closed));
    if (this.#isClosed) reader.end();
    else this.#readers.add(reader);
    return reader;
  }
}

type Result = IteratorResult<SluiceEvent, undefined>;

class EventReader implements AsyncIterableIterator<SluiceEvent> {
  readonly #onClosed: (reader: EventReader) => void;
  readonly #queue: SluiceEvent[] = [];
  readonly #waiting: ((result: Result) => void)[] = [];
  #missed = 0;
  #isEnded = false;

  constructor(onClosed: (reader: EventReader) => void) {
    this.#onClosed = onClosed;
  }

  push(event: SluiceEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting({ value: event, done: false });
      return;
    }
    if (this.#queue.length >= QUEUED_MAX) {
      this.#queue.shift();
      this.#missed += 1;
    }
    this.#queue.push(event);
  }

  end(): void {
    this.#isEnded = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ value: undefined, done: true });
    this.#onClosed(this);
  }

  next(): Promise<Result> {
    const event = this.#take();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<Result> {
    this.#queue.length = 0;
    this.#missed = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): SluiceEvent | undefined {
    if (this.#missed === 0) return this.#queue.shift();
    const count = this.#missed;
    this.#missed = 0;
    return { kind: 'missed', count };
  }
}
