/** The log of a replicator with destinations that are down. */

import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess } from '../support/process.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

/** Repeats within this time are of the level debug. */
const REPEAT_MS = 30_000;

interface Line {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly db?: string;
  readonly target?: string;
  readonly failures?: number;
}

test('the version comes first; a failure that is retried is one WARN, and it names its database', async () => {
  const folder = temporaryFolder();
  const endpoint = await closedEndpoint();
  const databases = ['a', 'b'].map((name) => path.join(folder, `${name}.db`));
  for (const database of databases) addRows(database, 1);
  const dbs = databases.map(
    (database) =>
      `- { path: ${database}, replica: { type: s3, bucket: b, region: r, path: ${path.basename(database)}, endpoint: '${endpoint}', access-key-id: k, secret-access-key: hunter22 } }`,
  );
  const config = writeFile(
    folder,
    'sluice.yml',
    `logging: { type: json, level: debug }\nshutdown-sync-timeout: 0s\ndbs:\n${dbs.join('\n')}\n`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  onTestFinished(() => sluice.kill('SIGKILL'));
  for (const database of databases) {
    await sluice.says(new RegExp(`"failures":2,.*"db":"${database}"`));
  }
  sluice.kill('SIGTERM');
  const { stdout } = await sluice.ended();
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  expect(lines[0]?.msg).toMatch(/^sluice \S+ starts as process \d+$/);
  const trouble = lines.filter(({ level }) => level === 'WARN' || level === 'ERROR');
  for (const database of databases) {
    const [first, second] = [1, 2].map((count) =>
      lines.find(({ db, failures }) => db === database && failures === count),
    );
    const elapsedMs = Date.parse(second?.time ?? '') - Date.parse(first?.time ?? '');
    expect(first?.level).toBe('WARN');
    expect(second?.level).toBe(elapsedMs < REPEAT_MS ? 'DEBUG' : 'WARN');
  }
  expect(trouble.filter(({ db }) => !databases.includes(db ?? ''))).toEqual([]);
});
