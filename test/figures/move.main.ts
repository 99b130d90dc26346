/** Runs one task of backends.bench.ts and sends the result as a message. */

import fs from 'node:fs';
import { limitYoungGeneration } from '../../apps/cli/src/young-generation.ts';
import { quantile } from './bench.ts';
import { ourWay } from './our-way.ts';
import { plainWay } from './plain-way.ts';
import { SMALL_FILES, type Moved, type MoveOrder, type Way } from './way.ts';

limitYoungGeneration(); // as the command line tool does; for the SDK alone too
const RUNS = 5;
const KIB = 1024;

const order = JSON.parse(process.argv[2] ?? '{}') as MoveOrder;
process.send?.(order.task === 'fill' ? await fill() : await measure(order.task));

async function fill(): Promise<Moved> {
  const way = await ourWay(order);
  const ms = await timed(() => way.fill(SMALL_FILES));
  await way.close();
  return { ms, memoryMiB: 0 };
}

async function measure(task: Exclude<MoveOrder['task'], 'fill'>): Promise<Moved> {
  const way = order.way === 'ours' ? await ourWay(order) : await plainWay(order);
  const before = process.memoryUsage().rss;
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) times.push(await timed(() => once(way, task, run)));
  await way.close();
  const peak = process.resourceUsage().maxRSS * KIB;
  return { ms: quantile(times, 0.5), memoryMiB: (peak - before) / (KIB * KIB) };
}

async function once(way: Way, task: 'up' | 'down' | 'list', run: number): Promise<void> {
  if (task === 'up') return await way.up(run);
  const [found, expected] =
    task === 'down'
      ? [await way.down(run), fs.statSync(order.file).size]
      : [await way.list(), SMALL_FILES];
  if (found !== expected) throw new Error(`${task}: got ${found} instead of ${expected}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
