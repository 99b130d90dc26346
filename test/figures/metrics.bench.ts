/** Time of a scrape with 5,000 databases over HTTP: their status, the results of their drills, and the text. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inFolder, print, quantile, round } from './bench.ts';
import { serveDatabases } from './served-databases.ts';

const DATABASES = 5_000;
const SCRAPES = 11;
const MS_MAX = 200;

/** By another process, as Prometheus is one. Until the last byte. */
async function timeOfScrape(url: string): Promise<number> {
  const script = `
    const started = performance.now();
    require('node:http').get(${JSON.stringify(url)}, (response) => {
      response.resume().on('end', () => console.log(performance.now() - started));
    });`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
  return Number(stdout);
}

const { ms, cpuMs, bytes, series } = await inFolder(async (folder) => {
  await using served = await serveDatabases(folder, DATABASES);
  const url = `${served.url}/metrics`;
  const text = await (await fetch(url)).text(); // also reads the results of all drills
  const times: number[] = [];
  const used: number[] = [];
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const before = process.cpuUsage();
    times.push(await timeOfScrape(url));
    const { user, system } = process.cpuUsage(before);
    used.push((user + system) / 1_000);
  }
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return {
    ms: quantile(times, 0.5),
    cpuMs: quantile(used, 0.5),
    bytes: text.length,
    series: lines.length,
  };
});

print(
  'metrics',
  [
    {
      what: `scrape of ${DATABASES} databases with one destination each`,
      ...{ unit: 'ms', ours: round(ms), bar: MS_MAX, lowerIsBetter: true },
    },
    {
      what: 'the same, processor time of the replicator',
      ...{ unit: 'ms', ours: round(cpuMs), lowerIsBetter: true },
    },
  ],
  `The median of ${SCRAPES}: ${series} values, ${round(bytes / 1e6)} MB.`,
);
