/** Runs the same restore with several programs, in turn, and checks what they restore. */

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LITESTREAM } from '../bench.ts';
import { measure, medianOf, sha256, type Cost } from './cost.ts';

const CLI = fileURLToPath(new URL('../../../apps/cli/dist/main.js', import.meta.url));

export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether it writes the database; a copy or a download does not. */
  readonly isRestore: boolean;
}

export interface ContestOptions {
  readonly runs: number;
  /** Removed before each run. */
  readonly output: string;
  /** SHA-256 of the database. Undefined: not checked. */
  readonly wanted?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** `words` and the URL are the same for both. Litestream only if it is installed. */
export function restorers(output: string, url: string, words: readonly string[] = []): Contender[] {
  const ours = [process.execPath, CLI, 'restore', '-o', output, ...words, url];
  const contenders = [{ name: 'sluice', command: ours, isRestore: true }];
  if (LITESTREAM === undefined) return contenders;
  const command = [LITESTREAM, 'restore', '-o', output, ...words, url];
  return [...contenders, { name: 'litestream', command, isRestore: true }];
}

/** The medians by name. One after another within a run, so that a change of load hits all. */
export async function contest(
  contenders: readonly Contender[],
  { runs, output, wanted, env }: ContestOptions,
): Promise<Readonly<Record<string, Cost>>> {
  const costs = new Map<string, Cost[]>();
  for (let run = 0; run < runs; run++) {
    for (const { name, command, isRestore } of contenders) {
      fs.rmSync(output, { recursive: true, force: true });
      await measure(['sync']); // nobody pays for the dirty pages of another
      const cost = await measure(command, env);
      costs.set(name, [...(costs.get(name) ?? []), cost]);
      process.stderr.write(
        `${name}: ${(cost.wallMs / 1000).toFixed(2)} s, CPU ${(cost.cpuMs / 1000).toFixed(2)} s, ${cost.peakMiB.toFixed(0)} MiB\n`,
      );
      if (isRestore && wanted !== undefined && sha256(output) !== wanted) {
        throw new Error(`${name} restored other bytes`);
      }
    }
  }
  fs.rmSync(output, { recursive: true, force: true });
  return Object.fromEntries([...costs].map(([name, each]) => [name, medianOf(each)]));
}
