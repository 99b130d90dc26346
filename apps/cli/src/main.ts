#!/usr/bin/env node
/** The process of the command line tool. */

import { EXIT_CODES } from './exit-codes.ts';
import { runCLI } from './cli.ts';
import { exitNow, hasHangingThread } from './exit-now.ts';
import { Secrets } from './secrets.ts';
import { DEFAULT_CONFIG_PATHS } from './shell.ts';
import {
  growYoungGeneration,
  limitOldGeneration,
  limitYoungGeneration,
} from './young-generation.ts';

const NODE_MIN = [22, 18] as const;
/** Commands that load a vendor's SDK and move much data. */
const MOVES_DATA: ReadonlySet<string> = new Set(['replicate', 'drill', 'check']);
/** A vendor's SDK may keep a socket or a timer open; we do not wait for it longer than this. */
const EXIT_MS_MAX = 2_000;

refuseOldNode();
// By default SIGUSR1 opens Node's debugger: a port that runs any code sent to it.
process.on('SIGUSR1', () => undefined);
const words = process.argv.slice(2);
// Replication must not end because its log has no reader (log-output.ts).
const isDaemon = words[0] === 'replicate';
if (words[0] === 'restore') growYoungGeneration();
else if (MOVES_DATA.has(words[0] ?? '')) limitYoungGeneration();
if (isDaemon) limitOldGeneration(); // it runs for months, and most of its databases may be idle
process.stdout.on('error', isDaemon ? () => undefined : endWithoutReader);
process.stderr.on('error', () => undefined);
process.exitCode = await runCLI(words, {
  environment: process.env,
  get terminal() {
    return process.stdin.isTTY && process.stdout.isTTY ? process.stdin : undefined;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  secrets: new Secrets(),
  configPaths: DEFAULT_CONFIG_PATHS,
});
setTimeout(() => {
  if (hasHangingThread()) exitNow(Number(process.exitCode));
  process.exit();
}, EXIT_MS_MAX).unref();

/** `sluice ltx … | head`: a reader that stops reading is not an error. A full disk is. */
function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.stderr.write(`sluice: write to stdout: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? EXIT_CODES.ok : EXIT_CODES.failed);
}

function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  process.stderr.write(
    `sluice: Node ${NODE_MIN.join('.')} or later is required, but this is ${process.version}\n`,
  );
  process.exit(EXIT_CODES.failed);
}
