// Entry point of bin/sluice: brings the checkout up to date, then runs the command line tool in the same process,
// because a second Node process would double the duration of `sluice --help`.

import fs from 'node:fs';
import { setUp, SetUpError } from './set-up.mjs';
import { CLI, run } from './verbs.mjs';

try {
  const { node } = setUp();
  // They differ only in the first run after the pinned Node has changed.
  if (fs.realpathSync(node) === fs.realpathSync(process.execPath)) await import(CLI);
  else await run([CLI, ...process.argv.slice(2)], process.cwd());
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
