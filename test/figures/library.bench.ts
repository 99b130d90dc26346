/**
 * What `openSluice` costs the requests of an application: an HTTP server that writes a row for each request, at a
 * steady rate, with and without Sluice, in alternating pairs. A request counts from the time at which it is due.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, inFolder, print, quantile, round, type Row } from './bench.ts';

const SERVER = path.join(import.meta.dirname, 'library-server.mjs');
const PAIRS = 10;
/** With the work of each request and of the thread beside it, about a third of two cores is idle. */
const REQUESTS_PER_SECOND = 1_000;
const WARM_UP_MS = 2_000;
const RUN_MS = 8_000;
/** A later p99 by this much is allowed, whatever the p99 is. */
const LATER_MS_MAX = 1;
const LATER_SHARE_MAX = 0.05;

interface Run {
  readonly p50: number;
  readonly p99: number;
  /** Share of all processors. */
  readonly idle: number;
  /** Resident memory of the process that replicates. */
  readonly hostMiB: number | undefined;
}

async function run(mode: 'with' | 'without'): Promise<Run> {
  return await inFolder(async (folder) => {
    const server = fork(SERVER, [folder, mode], { execArgv: [] });
    const [message] = (await answer(server)) as [{ readonly port: number; readonly host?: number }];
    const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    try {
      await load(message.port, agent, WARM_UP_MS);
      const before = processorTimes();
      const times = await load(message.port, agent, RUN_MS);
      const after = processorTimes();
      const idle = (after.idle - before.idle) / (after.all - before.all);
      const hostMiB = message.host === undefined ? undefined : rssMiB(message.host);
      return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), idle, hostMiB };
    } finally {
      agent.destroy();
      const exited = once(server, 'exit');
      server.send('close');
      await exited;
    }
  });
}

/** Sends requests at the rate, whether or not earlier ones were answered. Returns their times in ms. */
async function load(
  port: number,
  agent: http.Agent,
  durationMs: number,
): Promise<readonly number[]> {
  const count = (durationMs * REQUESTS_PER_SECOND) / 1_000;
  const startedAt = performance.now();
  const requests: Promise<number>[] = [];
  while (requests.length < count) {
    const due = Math.floor(((performance.now() - startedAt) * REQUESTS_PER_SECOND) / 1_000);
    while (requests.length < Math.min(due, count)) {
      const dueAt = startedAt + (requests.length * 1_000) / REQUESTS_PER_SECOND;
      requests.push(request(port, agent).then(() => performance.now() - dueAt));
    }
    await sleep(1);
  }
  return await Promise.all(requests);
}

async function request(port: number, agent: http.Agent): Promise<void> {
  const sent = http.get({ port, host: '127.0.0.1', agent });
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  const times = os.cpus().map((each) => each.times);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap(Object.values)) };
}

function rssMiB(pid: number): number {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
}

const pairs: { readonly with: Run; readonly without: Run }[] = [];
for (let pair = 0; pair < PAIRS; pair += 1) {
  const first = pair % 2 === 0 ? 'without' : 'with';
  const a = await run(first);
  const b = await run(first === 'with' ? 'without' : 'with');
  const both = first === 'with' ? { with: a, without: b } : { with: b, without: a };
  process.stderr.write(
    `pair ${pair + 1}: p99 ${round(both.without.p99)} ms without, ${round(both.with.p99)} ms with, ${Math.round(100 * both.without.idle)} % idle\n`,
  );
  pairs.push(both);
}

function median(of: (pair: (typeof pairs)[number]) => number): number {
  return quantile(pairs.map(of), 0.5);
}

const p99 = median((pair) => pair.without.p99);
const row = (what: string, ours: number, unit = 'ms'): Row => ({
  what,
  unit,
  ours: round(ours, 2),
  lowerIsBetter: true,
});
print(
  'library',
  [
    row(
      'p50 of requests, without Sluice',
      median((pair) => pair.without.p50),
    ),
    row(
      'p50 of requests, with Sluice',
      median((pair) => pair.with.p50),
    ),
    row('p99 of requests, without Sluice', p99),
    row(
      'p99 of requests, with Sluice',
      median((pair) => pair.with.p99),
    ),
    {
      ...row(
        'p99, later with Sluice',
        median((pair) => pair.with.p99 - pair.without.p99),
      ),
      bar: round(Math.max(LATER_MS_MAX, LATER_SHARE_MAX * p99), 2),
    },
    row(
      'memory of the process that replicates',
      median((pair) => pair.with.hostMiB ?? 0),
      'MiB',
    ),
  ],
  `${REQUESTS_PER_SECOND} requests a second, each writes a row; a thread of the application computes beside it; median of ${PAIRS} alternating pairs of ${RUN_MS / 1_000} s; ` +
    `${Math.round(100 * median((pair) => pair.without.idle))} % of the processors idle without Sluice, ` +
    `${Math.round(100 * median((pair) => pair.with.idle))} % with it`,
);
