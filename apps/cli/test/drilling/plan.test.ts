/** The schedule of the replicator's drills, with a clock of the test. */

import fs from 'node:fs';
import path from 'node:path';
import { recordDrill, type Clock, type DrillReport } from '@sluice/core';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { DatabaseConfig } from '../../src/config/model.ts';
import { DrillPlan } from '../../src/daemon/drill-plan.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder } from '../support/temporary.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

class TestClock implements Clock {
  nowMs = Date.parse('2026-01-31T12:00:00Z');
  /** Another one in each process. */
  monotonicMs = 5_000;
  now = (): number => this.nowMs;
  monotonic = (): number => this.monotonicMs;

  pass(ms: number): void {
    this.nowMs += ms;
    this.monotonicMs += ms;
  }
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string) => {
    throw new Error(message);
  },
  error: () => undefined,
};

async function databases(folder: string, every = '24h'): Promise<readonly DatabaseConfig[]> {
  const replicas = ['one', 'two'].map((name) => ({ name, path: path.join(folder, name) }));
  const text = stringify({
    drill: { every },
    dbs: [{ path: path.join(folder, 'app.db'), replicas }],
  });
  return (await readText(text)).databases;
}

/** Times of the next drills, by destination, as waits. */
function waits(plan: DrillPlan, clock: TestClock): number[] {
  return plan.jobs.map(({ dueMs }) => Math.round(dueMs - clock.monotonicMs));
}

function makeStaging(folder: string): string {
  const staging = path.join(folder, '.app.db-sluice');
  fs.mkdirSync(staging);
  return staging;
}

test('a restart keeps the times, whatever the monotonic clock of the new process says', async () => {
  const folder = temporaryFolder();
  makeStaging(folder);
  const clock = new TestClock();
  const first = await DrillPlan.create(await databases(folder), clock, silent);
  await first.record();
  const before = waits(first, clock);
  clock.pass(1_000);
  clock.monotonicMs = 900_000;
  const second = await DrillPlan.create(await databases(folder), clock, silent);
  expect(waits(second, clock)).toEqual(before.map((ms) => ms - 1_000));
});

test('times are recorded as soon as the staging folder exists', async () => {
  const folder = temporaryFolder();
  const clock = new TestClock();
  const plan = await DrillPlan.create(await databases(folder), clock, silent);
  await plan.record();
  const staging = makeStaging(folder);
  await plan.record();
  const text = fs.readFileSync(path.join(staging, 'drill-due.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject([{ name: 'one', everyMs: DAY }, { name: 'two' }]);
});

test('a drill that was begun is not repeated by a restart', async () => {
  const folder = temporaryFolder();
  makeStaging(folder);
  const clock = new TestClock();
  const plan = await DrillPlan.create(await databases(folder), clock, silent);
  const next = plan.next();
  if (next === undefined) throw new Error('nothing is planned');
  clock.pass(next.dueMs - clock.monotonicMs);
  await plan.postpone(next, DAY, 'recorded');
  const restarted = await DrillPlan.create(await databases(folder), clock, silent);
  const again = restarted.jobs.find(
    ({ destination }) => destination.name === next.destination.name,
  );
  expect(Math.round((again?.dueMs ?? 0) - clock.monotonicMs)).toBe(DAY);
  expect(plan.next()?.destination.name).not.toBe(next.destination.name);
});

test('a wait for a first backup is not recorded', async () => {
  const folder = temporaryFolder();
  const staging = makeStaging(folder);
  const clock = new TestClock();
  const plan = await DrillPlan.create(await databases(folder), clock, silent);
  await plan.record();
  const before = fs.readFileSync(path.join(staging, 'drill-due.json'), 'utf8');
  const next = plan.next();
  if (next === undefined) throw new Error('nothing is planned');
  await plan.postpone(next, 60_000, 'not recorded');
  await plan.record();
  expect(fs.readFileSync(path.join(staging, 'drill-due.json'), 'utf8')).toBe(before);
});

test('without recorded times, the next drill follows the last one', async () => {
  const folder = temporaryFolder();
  const staging = makeStaging(folder);
  const clock = new TestClock();
  const at = new Date(clock.nowMs - HOUR).toISOString();
  const config = await databases(folder);
  const [one] = config[0]?.destinations ?? [];
  if (one === undefined) throw new Error('there is no destination');
  await recordDrill(staging, one, {
    at,
    result: 'ok',
    problems: [],
    assertions: [],
  } as unknown as DrillReport);
  const plan = await DrillPlan.create(config, clock, silent);
  expect(waits(plan, clock)[0]).toBe(DAY - HOUR);
});

test('without a schedule there is nothing to drill', async () => {
  const plan = await DrillPlan.create(
    await databases(temporaryFolder(), '0'),
    new TestClock(),
    silent,
  );
  expect(plan.next()).toBeUndefined();
});
