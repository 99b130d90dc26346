/**
 * What the thread that follows a database notes for the main thread, in memory that both share. The
 * main thread reads it at any time, also while the other thread does not answer: that is when it
 * matters most, and a message would not come. Times are the monotonic clock's, in whole ms.
 */

const SLOTS = [
  /** When the thread last took a turn, whatever the state of the database. */
  'aliveAt',
  /** When SQLite was last asked with the result that everything committed is held. */
  'lookedAt',
  /** Everything that was committed at this moment is in staged files. */
  'stagedAsOf',
  /**
   * TXID of the newest staged file. Set before `stagedAsOf` is, and read after it: whoever does not
   * know of this file yet then sees that there is one.
   */
  'stagedTXID',
  /** 1 while commits are known that are not staged yet. */
  'pending',
  /** When an image or a snapshot that is being made last moved; 0 while none is. */
  'imageMovedAt',
  /** When a cut that is being written last moved. */
  'stagingMovedAt',
  /** Transactions seen in the log since the process began. */
  'commits',
  'walSizeBytes',
] as const;

export type Gauge = (typeof SLOTS)[number];

export type GaugeReadings = Readonly<Record<Gauge, number>>;

export class Gauges {
  /** Can be sent to another thread, which makes its own `Gauges` of it. */
  readonly memory: SharedArrayBuffer;
  readonly #slots: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#slots = new BigInt64Array(memory);
  }

  /** New ones. What is not known yet counts from `now`. */
  static create(now: number): Gauges {
    const bytes = SLOTS.length * BigInt64Array.BYTES_PER_ELEMENT;
    const gauges = new Gauges(new SharedArrayBuffer(bytes));
    for (const gauge of ['aliveAt', 'lookedAt', 'stagedAsOf'] as const) gauges.set(gauge, now);
    return gauges;
  }

  get(gauge: Gauge): number {
    return Number(Atomics.load(this.#slots, SLOTS.indexOf(gauge)));
  }

  set(gauge: Gauge, value: number): void {
    Atomics.store(this.#slots, SLOTS.indexOf(gauge), BigInt(Math.floor(value)));
  }

  /** Times and counts that only rise. */
  raise(gauge: Gauge, value: number): void {
    if (value > this.get(gauge)) this.set(gauge, value);
  }

  read(): GaugeReadings {
    const pairs = SLOTS.map((gauge) => [gauge, this.get(gauge)] as const);
    return Object.fromEntries(pairs) as Record<Gauge, number>;
  }
}
