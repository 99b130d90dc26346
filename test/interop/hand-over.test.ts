/**
 * Sluice and Litestream take turns in one bucket beside a writer, and both merge its files. Both restore every
 * listed TXID.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { restore, type DatabaseStatus } from '@sluice/core';
import { formatTXID, parseTXID } from '@sluice/core/ltx';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openFolder } from '../support/replica.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { Litestream } from './litestream.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const WRITER = fileURLToPath(new URL('./writer.mjs', import.meta.url));
const HAND_OVERS = 10;
/** Litestream merges each level several times within this. */
const LITESTREAM_MS = 6_000;
const SLUICE_MS = 2_500;

for (const encoding of ['block', 'frame'] as const) {
  describeWith(['litestream-0.5.17', 'litestream-0.5.12'], `a bucket of ${encoding} pages`, () => {
    test(
      'is restored by both after ten hand-overs, by clean stops and by SIGKILL',
      { timeout: 400_000 },
      async () => {
        const handOver = new HandOver(encoding, needTool('litestream-0.5.17'));
        const writer = await handOver.startWriter();
        for (let turn = 0; turn < HAND_OVERS; turn++) {
          const signal = turn % 3 === 2 ? 'SIGKILL' : 'SIGTERM';
          if (turn % 2 === 0) await handOver.runSluice(signal);
          else await handOver.runLitestream(signal);
        }
        writer.kill('SIGKILL');
        await once(writer, 'exit');
        await handOver.runSluice('SIGTERM');
        expect(await handOver.compareAll()).toEqual([]);
        expect(handOver.errorLines()).toEqual([]);
        expect(await handOver.compareWithDatabase()).toBe('equal');
      },
    );
  });
}

describeWith(['litestream-0.5.12'], 'a bucket of frame pages', () => {
  test('is restored by Litestream 0.5.12 to the same bytes', { timeout: 60_000 }, async () => {
    const handOver = new HandOver('frame', needTool('litestream-0.5.12'));
    const writer = await handOver.startWriter();
    await handOver.runSluice('SIGTERM');
    writer.kill('SIGKILL');
    expect(await handOver.compareAll()).toEqual([]);
  });
});

class HandOver {
  readonly #folder = temporaryFolder('hand-over');
  readonly #database = path.join(this.#folder, 'app.db');
  readonly #bucket = path.join(this.#folder, 'bucket');
  readonly #config = path.join(this.#folder, 'sluice.yml');
  readonly #litestream: Litestream;

  constructor(encoding: 'block' | 'frame', binary: string) {
    this.#litestream = new Litestream(binary, this.#database, this.#bucket);
    fs.writeFileSync(
      this.#config,
      `levels:
- interval: 500ms
- interval: 1s
- interval: 2s
dbs:
- path: ${this.#database}
  page-encoding: ${encoding}
  replicas:
  - type: file
    path: ${this.#bucket}
    sync-interval: 100ms
`,
    );
    onTestFinished(() => this.#litestream.stop('SIGKILL'));
  }

  async startWriter(): Promise<ChildProcess> {
    const writer = fork(WRITER, [this.#database]);
    onTestFinished(() => void writer.kill('SIGKILL'));
    await once(writer, 'message');
    return writer;
  }

  async runSluice(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = fork(CLI, ['replicate', '-config', this.#config], { silent: true });
    const started = Date.now();
    await until('Sluice replicates', () => this.#hasReplicated(started));
    await sleep(SLUICE_MS);
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    if (signal === 'SIGTERM') expect(code).toBe(0);
  }

  async runLitestream(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#litestream.start();
    await sleep(LITESTREAM_MS);
    await this.#litestream.stop(signal);
  }

  /** ERROR lines of Litestream's log. */
  errorLines(): string[] {
    return this.#litestream.log.split('\n').filter((line) => line.includes('level=ERROR'));
  }

  /** Restores the latest state and the last TXID of each listed file with both, and compares them. */
  async compareAll(): Promise<string[]> {
    const { client } = await openFolder(this.#bucket);
    const txids = new Set<bigint>();
    for await (const file of client.listFiles('all')) txids.add(file.maxTXID);
    const wrong: string[] = [];
    const names = [...txids].map(formatTXID).sort();
    for (const name of [undefined, ...names]) {
      const why = await this.#compare(name);
      if (why !== undefined) wrong.push(`${name ?? 'latest'}: ${why}`);
    }
    expect(names.length).toBeGreaterThan(1);
    return wrong;
  }

  async compareWithDatabase(): Promise<'equal' | 'different'> {
    const { client } = await openFolder(this.#bucket);
    const output = path.join(this.#folder, 'last.db');
    await restore({
      sources: [{ name: 'one', client }],
      output,
      target: { kind: 'latest' },
      overwrite: 'replace',
    });
    const database = new Database(this.#database, { readonly: true });
    const bytes = database.serialize();
    database.close();
    return Buffer.compare(bytes, fs.readFileSync(output)) === 0 ? 'equal' : 'different';
  }

  async #compare(txid: string | undefined): Promise<string | undefined> {
    const { client } = await openFolder(this.#bucket);
    const ours = path.join(this.#folder, 'ours.db');
    const theirs = path.join(this.#folder, 'theirs.db');
    const target =
      txid === undefined
        ? ({ kind: 'latest' } as const)
        : ({ kind: 'txid', txid: parseTXID(txid) } as const);
    let failure: string | undefined;
    try {
      await restore({
        sources: [{ name: 'one', client }],
        output: ours,
        target,
        overwrite: 'replace',
      });
    } catch (error) {
      failure = String(error);
    }
    const refused = this.#litestream.restore(theirs, txid);
    if (failure !== undefined || refused !== undefined) {
      return failure !== undefined && refused !== undefined
        ? undefined // neither can restore a TXID that was merged away
        : `ours: ${failure ?? 'restored'}; theirs: ${refused ?? 'restored'}`;
    }
    const isEqual = Buffer.compare(fs.readFileSync(ours), fs.readFileSync(theirs)) === 0;
    return isEqual ? undefined : 'the bytes differ';
  }

  #hasReplicated(since: number): boolean {
    const file = path.join(this.#folder, '.app.db-sluice', 'status.json');
    if (!fs.existsSync(file)) return false;
    const status = JSON.parse(fs.readFileSync(file, 'utf8')) as DatabaseStatus;
    const [at] = status.destinations;
    return Date.parse(at?.lastSuccessAt ?? '') >= since && at?.txid !== undefined;
  }
}
