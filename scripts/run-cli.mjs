// The command line tool of this checkout, as bin/sluice starts it: brings the checkout up to date,
// then becomes the tool. Both happen in one process, because a second Node would double the time
// that `sluice --help` takes.

import fs from 'node:fs';
import { setUp, SetUpError } from './set-up.mjs';
import { CLI, run } from './verbs.mjs';

try {
  const { node } = setUp();
  // They differ once, after the pinned Node has changed: the link that bin/sluice follows is older.
  if (fs.realpathSync(node) === fs.realpathSync(process.execPath)) await import(CLI);
  else await run([CLI, ...process.argv.slice(2)], process.cwd());
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
