/** sluice mcp: tools for assistants, by the Model Context Protocol on stdin and stdout. They only read. */

import path from 'node:path';
import type { Arguments } from '../args.ts';
import { findConfigFile, loadConfig } from '../config/load.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import type { Shell } from '../shell.ts';
import { readVersion } from '../version.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { secrets } = shell;
  const environment = { ...shell.environment }; // without the values that are read from files
  await loadConfig(args, shell); // an invalid one is an error now, and its secrets are known
  const file = path.resolve(findConfigFile(args, shell));
  const configFlags = [`-config=${file}`, ...(args.has('no-expand-env') ? ['-no-expand-env'] : [])];
  const { serveMCP } = await import('../mcp/serve.ts'); // loads the SDK
  const version = await readVersion();
  await interruptible(async (signal) => {
    await serveMCP({ version, configFlags, environment, secrets, signal });
  });
  return EXIT_CODES.ok;
}
