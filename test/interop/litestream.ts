/** Litestream as a process: replicates one database to one folder, and restores from it. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';

export class Litestream {
  readonly #binary: string;
  readonly #database: string;
  readonly #bucket: string;
  #child: ChildProcess | undefined;
  /** Output of all runs, up to each stop. Errors caused by the stop itself are not included. */
  log = '';

  constructor(binary: string, database: string, bucket: string) {
    this.#binary = binary;
    this.#database = database;
    this.#bucket = bucket;
  }

  /** Starts with intervals of seconds, so that even a short run merges each level several times. */
  start({ retention = '1h' }: { readonly retention?: string } = {}): void {
    const config = path.join(path.dirname(this.#database), 'litestream.yml');
    fs.writeFileSync(
      config,
      `levels:
- interval: 1s
- interval: 2s
- interval: 4s
l0-retention: ${retention}
l0-retention-check-interval: 1s
snapshot:
  interval: 5s
  retention: ${retention}
dbs:
- path: ${this.#database}
  monitor-interval: 100ms
  replica:
    type: file
    path: ${this.#bucket}
    sync-interval: 100ms
`,
    );
    const child = spawn(this.#binary, ['replicate', '-config', config], {
      env: { ...process.env, AWS_CA_BUNDLE: '' },
    });
    const keep = (chunk: Buffer): void => {
      if (this.#child === child) this.log += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#child = child;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Returns Litestream's output if the restore failed. */
  restore(output: string, txid?: string): string | undefined {
    fs.rmSync(output, { force: true });
    const args = ['restore', '-o', output, ...(txid === undefined ? [] : ['-txid', txid])];
    const env = { ...process.env };
    delete env['AWS_CA_BUNDLE'];
    const result = spawnSync(this.#binary, [...args, `file://${this.#bucket}`], {
      encoding: 'utf8',
      env,
    });
    return result.status === 0 ? undefined : `${result.stdout}${result.stderr}`;
  }
}
