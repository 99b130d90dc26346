/** Runs Litestream as the replicator or for a restore, for comparison with Sluice. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** Replicates `database` to `folder` at the shortest intervals that Litestream allows. */
export function startLitestream(binary: string, database: string, folder: string): ChildProcess {
  const config = path.join(path.dirname(database), 'litestream.yml');
  fs.writeFileSync(
    config,
    `dbs:
- path: ${database}
  monitor-interval: 50ms
  replica:
    type: file
    path: ${folder}
    sync-interval: 50ms
`,
  );
  const args = ['replicate', '-config', config];
  return spawn(binary, args, { stdio: 'ignore', env: environment() });
}

/** Restores `folder` to `output`. Returns Litestream's output if the restore failed. */
export function restoreWithLitestream(
  binary: string,
  folder: string,
  output: string,
  txid?: string,
): string | undefined {
  fs.rmSync(output, { force: true });
  const at = txid === undefined ? [] : ['-txid', txid];
  const args = ['restore', '-o', output, ...at, `file://${folder}`];
  const result = spawnSync(binary, args, { encoding: 'utf8', env: environment() });
  return result.status === 0 ? undefined : `${result.stdout}${result.stderr}`.trim().slice(-300);
}

/** Whether the output of a failed `restoreWithLitestream` means that there is no backup yet. */
export function isNothingThere(refused: string): boolean {
  return /no matching backup|not found|no such file|no snapshots/i.test(refused);
}

/** Without AWS_CA_BUNDLE: Litestream fails if that file does not exist. */
function environment(): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _, ...rest } = process.env;
  return rest;
}
