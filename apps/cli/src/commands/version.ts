/** sluice version */

import { readFile } from 'node:fs/promises';
import type { Arguments } from '../args.ts';

export async function run(args: Arguments): Promise<number> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const verbose = args.has('verbose')
    ? { node: process.versions.node, sqlite: await sqlite() }
    : {};
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify({ version, ...verbose })}\n`);
    return 0;
  }
  const lines = [version, ...Object.entries(verbose).map(([name, of]) => `${name} ${of}`)];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

async function sqlite(): Promise<string> {
  const { sqliteVersion } = await import('@sluice/core');
  return sqliteVersion();
}
