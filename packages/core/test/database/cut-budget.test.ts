import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import {
  afterCut,
  CUT_BURST,
  cutDueInMs,
  fullBudget,
  type CutBudget,
} from '../../src/database/cut/cut-budget.ts';
import { systemClock } from '../../src/clock.ts';
import { Gauges } from '../../src/database/gauges.ts';
import { Engine } from '../../src/database/engine.ts';
import type { EngineEvent } from '../../src/database/events.ts';
import { DATABASE_DEFAULTS } from '../../src/database/options.ts';
import { systemFiles } from '../../src/file-system.ts';
import { systemRandom } from '../../src/random.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { randomFrom } from '../support/random.ts';

const INTERVAL_MS = 1_000;
const HOUR_MS = 3_600_000;

interface Run {
  readonly cuts: number[];
  /** For each commit, how long it waited for its cut. */
  readonly waits: number[];
}

/** Simulates commits at these times. Each cut is made as soon as the budget allows it. */
function simulate(commits: readonly number[]): Run {
  let budget: CutBudget = fullBudget(INTERVAL_MS);
  const cuts: number[] = [];
  const waits: number[] = [];
  for (let next = 0; next < commits.length;) {
    const first = commits[next] as number;
    const at = first + cutDueInMs(budget, first);
    for (; next < commits.length && (commits[next] as number) <= at; next++) {
      waits.push(at - (commits[next] as number));
    }
    budget = afterCut(budget, at);
    cuts.push(at);
  }
  return { cuts, waits };
}

function every(gapMs: number, untilMs: number): number[] {
  return Array.from({ length: Math.floor(untilMs / gapMs) }, (_, index) => index * gapMs);
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] as number;
}

/** Maximum number of cuts within one hour. */
function mostPerHour(cuts: readonly number[]): number {
  let first = 0;
  return cuts.reduce((most, at, index) => {
    while ((cuts[first] as number) <= at - HOUR_MS) first += 1;
    return Math.max(most, index - first + 1);
  }, 0);
}

test.each([1_000, 999, 1, 50])(
  'a commit every %i ms makes at most 3,610 files in an hour',
  (gapMs) => {
    const { cuts } = simulate(every(gapMs, 1.2 * HOUR_MS));
    expect(mostPerHour(cuts)).toBeLessThanOrEqual(3_610);
    expect(mostPerHour(cuts)).toBeGreaterThanOrEqual(3_600);
  },
);

test('for any commits, the cuts in a period are at most one per interval plus the burst', () => {
  const gaps = fc.array(fc.oneof(fc.nat(30), fc.nat(2_500), fc.nat(60_000)), { maxLength: 400 });
  fc.assert(
    fc.property(gaps, (list) => {
      let at = 0;
      const { cuts, waits } = simulate(list.map((gap) => (at += gap)));
      for (let from = 0; from < cuts.length; from++) {
        for (let to = from; to < cuts.length; to++) {
          const time = (cuts[to] as number) - (cuts[from] as number);
          expect(to - from + 1).toBeLessThanOrEqual(time / INTERVAL_MS + CUT_BURST);
        }
      }
      for (const wait of waits) expect(wait).toBeLessThanOrEqual(INTERVAL_MS);
    }),
  );
});

test('commits 0.2 to 1.8 s apart hardly ever wait', () => {
  const runs = Array.from({ length: 100 }, (_, seed) => {
    const random = randomFrom(seed);
    let at = 0;
    return simulate(Array.from({ length: 60 }, () => (at += 200 + 1_600 * random.next()))).waits;
  });
  expect(Math.max(...runs.map((waits) => quantile(waits, 0.5)))).toBe(0);
  expect(runs.filter((waits) => quantile(waits, 0.98) > 0).length).toBeLessThan(5);
});

test('a cut ahead of its time leaves an empty budget, but no debt', () => {
  let budget = fullBudget(INTERVAL_MS);
  for (let cut = 0; cut < 50; cut++) budget = afterCut(budget, 7);
  expect(cutDueInMs(budget, 7)).toBe(INTERVAL_MS);
});

test('ten commits in a row are staged immediately', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-cut-budget-'));
  const file = path.join(folder, 'app.db');
  const app = new Database(file);
  app.pragma('journal_mode=wal');
  app.exec('CREATE TABLE t(v)');
  const events: EngineEvent[] = [];
  let awake: () => void = () => undefined;
  const engine = new Engine({
    // Longer than the test, so a commit that has to wait for it is never staged.
    options: {
      ...DATABASE_DEFAULTS,
      path: file,
      metaPath: path.join(folder, 'meta'),
      syncIntervalMs: HOUR_MS,
    },
    kernel: createKernel(),
    clock: systemClock,
    random: systemRandom,
    files: systemFiles,
    gauges: Gauges.create(systemClock.monotonic()),
    emit: (event) => {
      events.push(event);
      if (event.kind === 'opened') {
        setImmediate(() => engine.begin({ mode: 'image', floor: 0n, why: 'first start' }));
      }
      awake();
    },
  });
  onTestFinished(async () => {
    await engine.close();
    app.close();
    fs.rmSync(folder, { recursive: true });
  });
  const staged = (): number => events.filter((event) => event.kind === 'staged').length;
  const untilStaged = async (count: number): Promise<void> => {
    while (staged() < count) await new Promise<void>((resolve) => (awake = resolve));
  };
  engine.start();
  await untilStaged(1);
  for (let commit = 1; commit <= CUT_BURST; commit++) {
    app.exec(`INSERT INTO t VALUES (${commit})`);
    await untilStaged(1 + commit);
  }
  app.exec('INSERT INTO t VALUES (0)'); // would have to wait, but sync cuts it
  const txid = await engine.sync();
  expect(txid).toBe(BigInt(CUT_BURST + 2));
  expect(staged()).toBe(CUT_BURST + 2);
});
