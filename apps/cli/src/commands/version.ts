/** sluice version */

import type { Arguments } from '../args.ts';
import { printJSON, type Shell } from '../shell.ts';
import { readVersion } from '../version.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const version = await readVersion();
  const more: Record<string, string> = args.has('verbose') ? await details() : {};
  if (args.has('json')) printJSON(shell, { version, ...more });
  else {
    const lines = Object.entries(more).map(([name, value]) => `${name} ${value}`);
    shell.stdout.write(`${[version, ...lines].join('\n')}\n`);
  }
  return 0;
}

async function details(): Promise<Record<string, string>> {
  const { sqliteVersion } = await import('@sluice/core');
  const { arch, platform, versions } = process;
  return { node: versions.node, sqlite: sqliteVersion(), platform: `${platform}-${arch}` };
}
