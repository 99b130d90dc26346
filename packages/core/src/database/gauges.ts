/**
 * Gauges that the thread of a followed database shares with the main thread, in shared memory. The main
 * thread can read them at any time, even if the other thread is blocked and cannot send messages. Times
 * are in whole ms of the monotonic clock.
 */

const SLOTS = [
  /** When the event loop of the thread last ran, whatever the state of the database (`livesIn`). */
  'aliveAt',
  /** When a look last found that everything committed is held. */
  'lookedAt',
  /** When it was last seen that there is no database. Zero if there always was one. */
  'absentAt',
  /** Everything committed by this time is staged. */
  'stagedAsOf',
  /**
   * TXID of the newest staged file. Written before `stagedAsOf` and read after it, so a reader never
   * sees a new `stagedAsOf` with an old TXID.
   */
  'stagedTXID',
  /** Lower bound for the oldest commit in that file. Written before `stagedTXID`. */
  'stagedSince',
  /** 1 if some known commits are not staged yet, else 0. */
  'pending',
  /** When the image or snapshot in progress last advanced; 0 if there is none. */
  'imageMovedAt',
  /** When the cut that is being written last advanced. */
  'stagingMovedAt',
  /** Number of transactions seen in the log since the process started. */
  'commits',
  /** When the last of them was seen. Zero if there was none. */
  'committedAt',
  /** Size of their frames. */
  'logBytes',
  /** How many of the commits, and of these bytes, are staged. */
  'stagedCommits',
  'stagedLogBytes',
  /** Number and duration of our own checkpoints. */
  'checkpoints',
  'checkpointMicros',
  'walSizeBytes',
  /** How often the files of a database are looked at that is closed because it is idle. Zero while it is open. */
  'idlePollMs',
] as const;

export type Gauge = (typeof SLOTS)[number];

/** Of each gauge in the memory: a status of thousands of databases reads all of them. */
const INDEX = Object.fromEntries(SLOTS.map((gauge, index) => [gauge, index])) as Record<
  Gauge,
  number
>;

export type GaugeReadings = Readonly<Record<Gauge, number>>;

const NO_READINGS = Object.fromEntries(SLOTS.map((gauge) => [gauge, 0])) as Record<Gauge, number>;

export class Gauges {
  /** Can be sent to another thread, which constructs its own `Gauges` from it. */
  readonly memory: SharedArrayBuffer;
  readonly #slots: BigInt64Array;
  #thread: Pick<Gauges, 'get'> | undefined;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#slots = new BigInt64Array(memory);
  }

  /** Creates gauges. Times that are not known yet start at `now`. */
  static create(now: number): Gauges {
    const bytes = SLOTS.length * BigInt64Array.BYTES_PER_ELEMENT;
    const gauges = new Gauges(new SharedArrayBuffer(bytes));
    for (const gauge of ['aliveAt', 'lookedAt', 'stagedAsOf'] as const) gauges.set(gauge, now);
    return gauges;
  }

  /**
   * The thread that follows the database writes `aliveAt` to these gauges, for all its databases. With one of its own
   * for each, a thousand idle databases took more than half a percent of a core for that alone.
   */
  livesIn(thread: Pick<Gauges, 'get'> | undefined): void {
    this.#thread = thread;
  }

  get(gauge: Gauge): number {
    return Number(Atomics.load(this.#slots, INDEX[gauge]));
  }

  set(gauge: Gauge, value: number): void {
    Atomics.store(this.#slots, INDEX[gauge], BigInt(Math.floor(value)));
  }

  add(gauge: Gauge, value: number): void {
    this.set(gauge, this.get(gauge) + value);
  }

  /** Sets a gauge that must never decrease. */
  raise(gauge: Gauge, value: number): void {
    if (value > this.get(gauge)) this.set(gauge, value);
  }

  /** Reads again if a file was staged meanwhile. */
  read(): GaugeReadings {
    for (;;) {
      const readings = { ...NO_READINGS };
      for (const gauge of SLOTS) readings[gauge] = this.get(gauge);
      readings.aliveAt = this.#thread?.get('aliveAt') ?? readings.aliveAt;
      if (readings.stagedTXID === this.get('stagedTXID')) return readings;
    }
  }
}
