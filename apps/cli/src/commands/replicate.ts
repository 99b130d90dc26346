/** sluice replicate: the daemon, or one round of it (-once). */

import { ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { destinationFromURL } from '../config/destination.ts';
import { parseYAML } from '../config/document.ts';
import { applyCredentials, loadConfig } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import { nameAll, parseConfig } from '../config/parse.ts';
import { runDaemon } from '../daemon.ts';

export async function run(args: Arguments): Promise<number> {
  if (args.has('once') && args.text('exec') !== undefined) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      'sluice replicate: -once and -exec cannot be given together',
    );
  }
  const config =
    args.positionals.length === 0 ? await loadConfig(args) : await configOf(args.positionals);
  return await runDaemon(config, args);
}

/** `replicate DB URL [URL…]`: what a configuration with just that would say. */
async function configOf(words: readonly string[]): Promise<Config> {
  const [database = '', ...urls] = words;
  if (urls.length === 0) {
    const message =
      'sluice replicate DB URL: the URL is missing; without both, a configuration is read';
    throw new ReplicationError('CONFIG_INVALID', message);
  }
  applyCredentials();
  const destinations = [];
  for (const url of urls) {
    destinations.push({ ...(await destinationFromURL(url, process.cwd())), name: '' });
  }
  const text = JSON.stringify({
    dbs: [{ path: database, replicas: urls.map((url) => ({ url })) }],
  });
  const config = await parseConfig(parseYAML(text, 'the command line'), 'the command line');
  const [first] = config.databases;
  if (first === undefined) throw new ReplicationError('CONFIG_INVALID', 'no database is named');
  return { ...config, databases: [{ ...first, destinations: nameAll(destinations) }] };
}
