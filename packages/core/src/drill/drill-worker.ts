/** The process that examines a restored database, and compares it with the live one: see examine.ts. */

import { findCorruption, runAssertions } from './checks.ts';
import type { Examination, ExamineRequest, Reply } from './examine.ts';
import { examineLive } from './live.ts';

process.once('message', (request: ExamineRequest) => {
  void examine(request).then(
    (examination) => reply({ kind: 'answer', examination }),
    (error: unknown) => reply({ kind: 'failure', message: String(error) }),
  );
});
// A terminal signals the whole process group. The drill itself ends this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
  process.on(signal, () => undefined);
}
// The drill is over, or its process is.
process.once('disconnect', () => process.exit());

async function examine(request: ExamineRequest): Promise<Examination> {
  const { restored, integrityCheck, assertions, live } = request;
  const corruption = findCorruption(restored.file, integrityCheck);
  return {
    corruption,
    assertions: corruption === undefined ? runAssertions(restored.file, assertions) : [],
    live: live && (await examineLive({ ...live, restored })),
  };
}

function reply(message: Reply): void {
  process.send?.(message);
}
