/**
 * The process that examines a restored database, and compares it with the live one: see examine.ts. Its
 * thread does that, so that the process itself notices at once if the drill has ended.
 */

import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { checkRestored } from './checks.ts';
import type { Examination, ExamineRequest, Reply } from './examine.ts';
import { examineLive } from './live.ts';
import { withMistakes } from './mistakes.ts';

if (isMainThread) relay();
else parentPort?.once('message', (request: ExamineRequest) => void answer(request));

function relay(): void {
  const thread = new Worker(new URL(import.meta.url));
  process.once('message', (request: ExamineRequest) => thread.postMessage(request));
  thread.on('message', (reply: Reply) => process.send?.(reply));
  thread.once('error', (error) => process.send?.(toFailure(error)));
  // The drill is over, or was killed. A normal exit would wait for the statement that runs.
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // A terminal signals the whole process group. The drill itself ends this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
    process.on(signal, () => undefined);
  }
}

async function answer(request: ExamineRequest): Promise<void> {
  try {
    parentPort?.postMessage({ kind: 'answer', examination: await examine(request) });
  } catch (error) {
    parentPort?.postMessage(toFailure(error));
  }
}

async function examine(request: ExamineRequest): Promise<Examination> {
  const { restored, integrityCheck, assertions, live } = request;
  const checks = checkRestored(restored.file, integrityCheck, assertions, onStep);
  if (live !== undefined) onStep('the comparison with the live database');
  const seen = live && (await examineLive({ ...live, restored }));
  const judged = await withMistakes(checks.assertions, live?.path, seen);
  return { ...checks, assertions: judged, live: seen };
}

function onStep(step: string): void {
  parentPort?.postMessage({ kind: 'step', step } satisfies Reply);
}

function toFailure(error: unknown): Reply {
  return { kind: 'failure', message: String(error) };
}
