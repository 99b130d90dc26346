// What bootstrap.mjs does once the machine is known to be able to.

import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { ROOT, setUp, SetUpError } from './set-up.mjs';

export const CLI = path.join(ROOT, 'apps', 'cli', 'dist', 'main.js');
const DEMO = path.join(ROOT, 'test', 'demo', 'main.ts');
const VITEST = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
/** What `npm test` runs when no project is named: all but the figures, which want a quiet machine. */
const TEST_PROJECTS = ['unit', 'conformance', 'system', 'interop', 'recovery'];

export async function main([verb, ...rest]) {
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  switch (verb) {
    case undefined:
      setUp();
      return;
    case 'node':
      process.stdout.write(`${setUp().node}\n`);
      return;
    case 'start':
      // npm changes to the repository's folder; paths in a CLI call mean the caller's.
      if (args.length > 0) await run([CLI, ...args], process.env.INIT_CWD ?? process.cwd());
      else await run([DEMO], ROOT);
      return;
    case 'test':
      await run([VITEST, 'run', ...withProjects(args)], ROOT);
      return;
    default:
      throw new SetUpError(`unknown verb "${verb}": start, test, node, or none to set up only`);
  }
}

function withProjects(args) {
  if (args.some((arg) => arg === '--project' || arg.startsWith('--project='))) return args;
  return [...TEST_PROJECTS.map((name) => `--project=${name}`), ...args];
}

/** Runs a script under the fetched Node and ends as it ends. */
export async function run(nodeArgs, cwd) {
  const { node, env } = setUp();
  const child = spawn(node, nodeArgs, { cwd, env, stdio: 'inherit' });
  const stopPassing = passSignals(child);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...end) => resolve(end));
  });
  stopPassing();
  if (signal === null) process.exitCode = code;
  else process.exitCode = 128 + os.constants.signals[signal];
}

/**
 * A second signal makes the tool leave at once, so each has to arrive once: a terminal sends
 * SIGINT to all of its foreground processes by itself, and npm repeats it to us.
 */
function passSignals(child) {
  const pass = {
    SIGTERM: () => child.kill('SIGTERM'),
    SIGINT: () => process.stdin.isTTY || child.kill('SIGINT'),
    SIGHUP: () => process.stdin.isTTY || child.kill('SIGHUP'),
  };
  for (const [signal, handler] of Object.entries(pass)) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of Object.entries(pass)) process.off(signal, handler);
  };
}
