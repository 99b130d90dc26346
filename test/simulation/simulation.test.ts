/**
 * The simulation: some seconds by default, a minute in CI. It must find nothing in core, find each
 * planted error, and repeat itself. The runs are in processes of their own, because a simulation
 * replaces the timers of its process.
 */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { drawFrom, seedOf } from '../../packages/core/test/support/random.ts';
import type { PlantedError } from './planted-error.ts';
import { PLANTED_ERRORS, type PlantedName } from './planted.ts';
import type { RunReport } from './simulation.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const DURATION = process.env['SLUICE_SIMULATION_TIME'] ?? (IN_CI ? '60s' : '8s');
const NAMES = Object.keys(PLANTED_ERRORS) as PlantedName[];
/** Each planted error must be found within this number of runs, from the one that found it last. */
const PLANTED_SEEDS_MAX = 150;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const MAIN = path.join(import.meta.dirname, 'main.ts');

interface Summary {
  readonly seeds: number;
  readonly restores: number;
  readonly kills: number;
  readonly failed: readonly Pick<RunReport, 'seed' | 'broken'>[];
}

interface Output {
  readonly summary: Summary;
  /** The lines before the summary. */
  readonly lines: readonly string[];
}

async function simulate(...flags: string[]): Promise<Output> {
  const output = await new Promise<string>((resolve, reject) => {
    const options = { maxBuffer: OUTPUT_BYTES_MAX };
    execFile(process.execPath, [MAIN, ...flags], options, (error, stdout, stderr) => {
      // Exit code 1 says that a run failed.
      if (error !== null && error.code !== 1) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(stdout);
    });
  });
  const lines = output.trimEnd().split('\n');
  return { summary: JSON.parse(lines.pop() ?? '') as Summary, lines };
}

test('everything that is claimed holds, whatever fails', async () => {
  const seed = seedOf();
  console.log(`SLUICE_SEED=${seed}`);
  const { summary, lines } = await simulate(
    ...['--from', String(seed), '--seeds', '1000000', '--for', DURATION],
  );
  console.log(JSON.stringify(summary));
  expect(summary.failed, lines.join('\n')).toEqual([]);
  expect(summary.seeds).toBeGreaterThan(0);
  // A simulation that does nothing must not pass.
  expect(summary.restores).toBeGreaterThan(summary.seeds);
  expect(summary.kills).toBeGreaterThan(0);
});

test('a seed repeats the same steps at the same times', async () => {
  const flags = ['--from', String(seedOf()), '--seeds', '2', '--verbose'];
  const [first, second] = await Promise.all([simulate(...flags), simulate(...flags)]);
  expect(steps(first).length).toBeGreaterThan(100);
  expect(steps(second)).toEqual(steps(first));
  expect(second.summary).toEqual(first.summary);
});

/** The lines of the trace. Those of the log are indented. */
function steps({ lines }: Output): readonly string[] {
  return lines.filter((line) => !/^[\d.]+ {3}/.test(line));
}

describe('a planted error is found', () => {
  for (const name of IN_CI ? NAMES : drawFrom(NAMES, 1)) {
    test(name, async () => {
      const { foundBy = 1 }: PlantedError = PLANTED_ERRORS[name];
      const { summary } = await simulate(
        ...['--planted', name, '--from', String(foundBy), '--seeds', String(PLANTED_SEEDS_MAX)],
      );
      console.log(JSON.stringify(summary));
      const invariants = summary.failed.map(({ broken }) => broken?.invariant);
      expect(PLANTED_ERRORS[name].breaks).toEqual(expect.arrayContaining(invariants));
      expect(invariants).toHaveLength(1);
    });
  }
});
