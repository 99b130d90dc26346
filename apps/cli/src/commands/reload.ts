/** sluice reload: has the running replicator read its configuration again, like SIGHUP. */

import type { Arguments } from '../args.ts';
import type { ReloadAnswer, ReloadInput } from '../controlling/answers.ts';
import { askProcess } from '../controlling/process.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { EXIT_OF_ERROR } from '../exit-of-error.ts';
import { printJSON, type Shell } from '../shell.ts';

/** Every database that is removed gets a last sync. */
const RELOAD_MS = 600_000;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const input: ReloadInput = { dry_run: args.has('dry-run') };
  const call = { command: 'reload', input, timeoutMs: RELOAD_MS };
  const answer = await askProcess<ReloadAnswer>(args, shell, call);
  if (args.has('json')) printJSON(shell, answer);
  else print(answer, shell);
  const [failed] = answer.failed;
  if (failed === undefined) return EXIT_CODES.ok;
  const known = isKnown(failed.code) ? EXIT_OF_ERROR[failed.code] : 'failed';
  return EXIT_CODES[known];
}

function isKnown(code: string): code is keyof typeof EXIT_OF_ERROR {
  return code in EXIT_OF_ERROR;
}

function print(answer: ReloadAnswer, shell: Shell): void {
  const { config, status, unchanged, needs_restart: late, failed } = answer;
  const would = status === 'would_reload' ? 'would be ' : '';
  const changes = (['added', 'removed', 'changed', 'rescheduled'] as const).flatMap((what) =>
    answer[what].map((path) => `  ${would}${what}: ${path}`),
  );
  const head =
    status === 'unchanged'
      ? 'nothing has changed'
      : `${changes.length} changes, ${unchanged} databases as before`;
  shell.stdout.write(`${config}: ${head}\n`);
  for (const line of changes) shell.stdout.write(`${line}\n`);
  for (const name of late) {
    shell.stdout.write(`  ${name} applies after a restart of the replicator\n`);
  }
  for (const { path, message } of failed) shell.stdout.write(`  ! ${path}: ${message}\n`);
}
