/** Runs one drill of the replicator in a process of its own (drill-worker.ts). */

import type { Environment } from '../shell.ts';
import { runTask } from '../tasks/run-task.ts';
import type { DrillAnswer, DrillOrder, DrillProgress } from './order.ts';

export interface RunOptions {
  /** Environment of the process, as the replicator got it. */
  readonly environment: Environment;
  readonly onWarning: (message: string) => void;
  readonly onProgress?: ((progress: DrillProgress) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Rejects with the reason of the signal, or if the drill did not take place. */
export async function runDrill(order: DrillOrder, options: RunOptions): Promise<DrillAnswer> {
  const script = new URL('./drill-worker', import.meta.url);
  const name = `drill ${order.name}`;
  return await runTask<DrillAnswer, DrillProgress>(order, {
    ...options,
    script,
    name,
    command: 'sluice drill',
  });
}
