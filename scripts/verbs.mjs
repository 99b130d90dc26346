// The commands of bootstrap.mjs.

import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { ROOT, setUp, SetUpError } from './set-up.mjs';

export const CLI = path.join(ROOT, 'apps', 'cli', 'dist', 'main.js');
const DEMO = path.join(ROOT, 'test', 'demo', 'main.ts');
const VITEST = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
/** Projects of `npm test`. */
const TEST_PROJECTS = ['unit', 'conformance', 'system'];
/** Also with SLUICE_REQUIRE=all, or if tests are named: other programs, and killed processes. They take as long again. */
const LONG_PROJECTS = ['interop', 'recovery'];

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
      // npm changes to the folder of the repository, but paths are relative to the folder of the caller.
      if (args.length > 0) await run([CLI, ...args], process.env.INIT_CWD ?? process.cwd());
      else await run([DEMO], ROOT);
      return;
    case 'test':
      await run([VITEST, 'run', ...withProjects(args)], ROOT);
      return;
    default:
      throw new SetUpError(
        `unknown command "${verb}": use start, test or node, or none to set up only`,
      );
  }
}

function withProjects(args) {
  if (args.some((arg) => arg === '--project' || arg.startsWith('--project='))) return args;
  const isAll = process.env.SLUICE_REQUIRE === 'all' || args.some((arg) => !arg.startsWith('-'));
  const projects = isAll ? [...TEST_PROJECTS, ...LONG_PROJECTS] : TEST_PROJECTS;
  return [...projects.map((name) => `--project=${name}`), ...args];
}

/** Runs a script with the installed Node. Exits with its exit code. */
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
 * Passes each signal on exactly once, because the tool exits at once after a second one. A terminal sends SIGINT to
 * all foreground processes itself, and npm sends it to this process again.
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
