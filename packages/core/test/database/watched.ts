/** A database watched by an engine in the test thread, and the events of that engine. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../src/clock.ts';
import { Engine } from '../../src/database/engine.ts';
import type { OpenDatabases } from '../../src/database/open-databases.ts';
import type { EngineEvent } from '../../src/database/events.ts';
import { DATABASE_DEFAULTS } from '../../src/database/options.ts';
import { Gauges } from '../../src/database/gauges.ts';
import { type FileSystem, systemFiles } from '../../src/file-system.ts';
import { systemRandom } from '../../src/random.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { temporaryFolder } from '../restore/temporary.ts';

/** The system clock, whose monotonic time a test can advance or stop, and whose wall time it can step. */
class AdjustableClock implements Clock {
  #offsetMs = 0;
  #wallOffsetMs = 0;
  #stoppedAt: number | undefined;

  now(): number {
    return systemClock.now() + this.#wallOffsetMs;
  }

  monotonic(): number {
    return this.#stoppedAt ?? systemClock.monotonic() + this.#offsetMs;
  }

  /** Stops the monotonic time: nothing becomes due any more. */
  stop(): void {
    this.#stoppedAt = this.monotonic();
  }

  /** Continues after `stop`. */
  run(): void {
    this.#stoppedAt = undefined;
  }

  stepWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  advance(ms: number): void {
    this.#offsetMs += ms;
  }
}

type Kind = EngineEvent['kind'];
type EventOf<K extends Kind> = EngineEvent & { kind: K };

export interface StartOptions {
  readonly sentEverywhere?: bigint;
  readonly tailBytesMax?: number;
  readonly minCheckpointPageCount?: number;
  /** Default: an idle database stays open. */
  readonly idleCloseMs?: number;
  /** Default 20. */
  readonly monitorIntervalMs?: number;
  /** Default: there is no limit. */
  readonly openDatabases?: OpenDatabases;
  readonly files?: FileSystem;
  /** What a start without proof does if it has page checksums. Default: an image. */
  readonly unproved?: 'changes' | 'image';
}

export class Watched {
  readonly folder: string = temporaryFolder();
  readonly path: string = path.join(this.folder, 'app.db');
  readonly metaPath: string = path.join(this.folder, 'meta');
  readonly clock = new AdjustableClock();
  /** Of the engine that was started last. */
  gauges: Gauges = Gauges.create(0);
  readonly events: EngineEvent[] = [];
  readonly #apps: Database.Database[] = [];
  readonly #waiting = new Set<() => void>();

  constructor() {
    onTestFinished(() => {
      for (const app of this.#apps) app.close();
    });
  }

  /** The application's connection; opened on first use. */
  get app(): Database.Database {
    const [open] = this.#apps;
    if (open !== undefined) return open;
    const app = new Database(this.path);
    this.#apps.push(app);
    app.pragma('journal_mode=wal');
    app.pragma('wal_autocheckpoint=0');
    app.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)');
    return app;
  }

  /** Commits a transaction of about `sizeBytes`. */
  commit(sizeBytes = 100): void {
    this.app.prepare('INSERT INTO t(v) VALUES (randomblob(?))').run(sizeBytes);
  }

  /** Starts an engine, which resumes if continuity is proved, and otherwise does `unproved`. */
  start(options: StartOptions = {}): Engine {
    const { files = systemFiles, unproved = 'image', ...more } = options;
    const { minCheckpointPageCount, idleCloseMs = 0, monitorIntervalMs = 20 } = options;
    this.gauges = Gauges.create(this.clock.monotonic());
    const engine: Engine = new Engine({
      ...more,
      options: {
        ...DATABASE_DEFAULTS,
        path: this.path,
        metaPath: this.metaPath,
        syncIntervalMs: 1,
        monitorIntervalMs,
        idleCloseMs,
        minCheckpointPageCount: minCheckpointPageCount ?? DATABASE_DEFAULTS.minCheckpointPageCount,
      },
      kernel: createKernel(),
      clock: this.clock,
      random: systemRandom,
      files,
      gauges: this.gauges,
      emit: (event) => {
        this.events.push(event);
        if (event.kind === 'opened') {
          // Without regard to `lastTXID`, so that checksums alone decide.
          const mode = event.proved === undefined ? unproved : 'resume';
          const order = { mode, floor: event.lastTXID, why: event.why ?? '' } as const;
          setImmediate(() => engine.begin(order));
        }
        for (const look of this.#waiting) look();
      },
    });
    onTestFinished(() => engine.close());
    engine.start();
    return engine;
  }

  all<K extends Kind>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.kind === kind);
  }

  /** The first event of this kind that matches `fits`, from index `from` on. */
  async next<K extends Kind>(
    kind: K,
    fits: (event: EventOf<K>) => boolean = () => true,
    from = 0,
  ): Promise<EventOf<K>> {
    return await new Promise((resolve) => {
      const look = (): void => {
        const found = this.events
          .slice(from)
          .find((event) => event.kind === kind && fits(event as EventOf<K>));
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found as EventOf<K>);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Names of temporary files in the staging folder. */
  temporary(): string[] {
    return fs.readdirSync(this.metaPath).filter((name) => name.endsWith('.tmp'));
  }

  /** Names of staged files of level 0. */
  staged(): string[] {
    return fs.readdirSync(path.join(this.metaPath, 'ltx', '0')).sort();
  }

  stagedPath(index: number): string {
    return path.join(this.metaPath, 'ltx', '0', this.staged().at(index) ?? '');
  }
}
