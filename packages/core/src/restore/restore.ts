/**
 * Restores a database from its destinations: lists, plans, reads, verifies, then renames into place.
 */

import { systemClock } from '../clock.ts';
import { traced } from '../tracing.ts';
import { checkIntegrity } from './integrity.ts';
import type { RestoreOptions, RestoreReport } from './options.ts';
import { Output } from './output.ts';
import { checkOutput, findTarget } from './output-target.ts';
import { RestoreRun } from './restore-run.ts';
import { Downloads, removeDownloads } from './resume/downloads.ts';

/**
 * Writes a temporary file beside `output`, fsyncs it and renames it. If it fails or is aborted, it
 * leaves nothing behind. Errors: RESTORE_*; LTX_* if a file is damaged and no other files lead to
 * the same state; and the errors of the destination.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { output } = options;
  return await traced('restore', { output }, () => restoreTo(options));
}

async function restoreTo(options: RestoreOptions): Promise<RestoreReport> {
  const { clock = systemClock } = options;
  const startedAt = clock.monotonic();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  await checkOutput(options.output, options.overwrite ?? 'refuse');
  const kept = options.downloads === 'kept' ? await findTarget(options.output) : undefined;
  const run = new RestoreRun(options, kept === undefined ? undefined : new Downloads(kept), signal);
  await run.list();
  const output = await Output.open(options.output, options.overwrite ?? 'refuse');
  try {
    const { report, verified } = await run.run(output);
    await options.onVerified?.(verified);
    signal.throwIfAborted();
    await output.sync();
    await checkIntegrity(output.temporary, options.integrityCheck ?? 'none', signal);
    signal.throwIfAborted();
    const published = await output.publish({ signal, clock });
    await removeDownloads(await findTarget(options.output));
    return { ...report, ...published, durationMs: Math.round(clock.monotonic() - startedAt) };
  } finally {
    await output.discard();
  }
}
