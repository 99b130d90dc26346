/** Sluice restores what Litestream 0.3.13 restores, from a bucket that it wrote beside a busy writer. */

import { fork, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  listGenerations,
  Replica,
  restoreV03,
  type Generation,
  type V03Source,
} from '@sluice/core';
import { expect, onTestFinished, test } from 'vitest';
import { openFolder } from '../support/replica.ts';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const WRITER = fileURLToPath(new URL('./writer.mjs', import.meta.url));
/** WALs of each run: each checkpoint of Litestream starts a new one. */
const WALS = 3;
/** Moments that are compared, of all uploads. */
const MOMENTS = 12;

describeWith(['litestream-0.3.13'], 'a bucket of Litestream 0.3', () => {
  test('with two generations and many WALs is restored to the same bytes', async () => {
    const old = new OldLitestream(needTool('litestream-0.3.13'));
    await old.run();
    fs.rmSync(old.state, { recursive: true }); // the next run starts a new generation
    await old.run();

    const generations = await old.generations();
    expect(generations.length).toBe(2);
    const moments = generations.flatMap(momentsOf);
    for (const target of moments) {
      expect(await old.restoredBySluice(target), JSON.stringify(target)).toBe(
        old.restoredByLitestream([
          '-generation',
          target.generation,
          '-timestamp',
          target.at.toISOString(),
        ]),
      );
    }
    expect(moments.length).toBeGreaterThan(2); // a slow machine uploads less often
    expect(await old.restoredBySluice({})).toBe(old.restoredByLitestream([]));
    const [first] = generations;
    const index = (first?.segments.at(-1)?.index ?? 0) - 1;
    const generation = first?.id ?? '';
    expect(await old.restoredBySluice({ generation, index })).toBe(
      old.restoredByLitestream(['-generation', generation, '-index', index.toString(16)]),
    );
  });
});

class OldLitestream {
  readonly #binary: string;
  readonly #folder = temporaryFolder('old-bucket');
  readonly #database = path.join(this.#folder, 'app.db');
  readonly #bucket = path.join(this.#folder, 'bucket');
  readonly #config = path.join(this.#folder, 'litestream.yml');
  /** Its local state. */
  readonly state = path.join(this.#folder, '.app.db-litestream');

  constructor(binary: string) {
    this.#binary = binary;
    fs.writeFileSync(
      this.#config,
      `dbs:
- path: ${this.#database}
  monitor-interval: 50ms
  min-checkpoint-page-count: 40
  replicas:
  - type: file
    path: ${this.#bucket}
    sync-interval: 50ms
`,
    );
  }

  /** Replicates beside a writer until there are enough WALs in a new generation. */
  async run(): Promise<void> {
    const before = new Set((await this.generations()).map(({ id }) => id));
    const writer = fork(WRITER, [this.#database], { stdio: 'inherit' });
    onTestFinished(() => void writer.kill('SIGKILL'));
    await once(writer, 'message');
    const replicator = spawn(this.#binary, ['replicate', '-config', this.#config], {
      stdio: 'ignore',
    });
    onTestFinished(() => void replicator.kill('SIGKILL'));
    await until('a new generation has several WALs', async () => {
      const fresh = (await this.generations()).find(({ id }) => !before.has(id));
      return (fresh?.segments.at(-1)?.index ?? 0) >= WALS;
    });
    const exited = once(replicator, 'exit');
    replicator.kill('SIGTERM');
    await exited;
    writer.kill('SIGKILL');
    await once(writer, 'exit');
  }

  async generations(): Promise<Generation[]> {
    const { client, root } = await this.#source();
    return await listGenerations(client, root);
  }

  async restoredBySluice(target: Parameters<typeof restoreV03>[0]['target']): Promise<string> {
    const output = path.join(this.#folder, 'sluice.db');
    const source = await this.#source();
    await restoreV03({ source, target, output, overwrite: 'replace' });
    return sha256(output);
  }

  /** Its output instead, if it fails. */
  restoredByLitestream(flags: readonly string[]): string {
    const output = path.join(this.#folder, 'litestream.db');
    fs.rmSync(output, { force: true });
    const words = ['restore', '-o', output, ...flags, `file://${this.#bucket}`];
    const { status, stdout, stderr } = spawnSync(this.#binary, words, { encoding: 'utf8' });
    return status === 0 ? sha256(output) : stdout + stderr;
  }

  async #source(): Promise<V03Source> {
    const { client } = await openFolder(this.#bucket);
    if (!(client instanceof Replica)) throw new TypeError('a folder is a replica');
    return { client: client.client, root: client.root };
  }
}

/** Times between uploads: Litestream compares nanoseconds, Sluice milliseconds. */
function momentsOf({ id, segments }: Generation): { generation: string; at: Date }[] {
  const between = segments.flatMap(({ modifiedAt }, place) => {
    const pauseMs = Number(segments[place + 1]?.modifiedAt ?? 0) - Number(modifiedAt);
    return pauseMs > 4 ? [new Date(Number(modifiedAt) + Math.floor(pauseMs / 2))] : [];
  });
  const every = Math.ceil((2 * between.length) / MOMENTS);
  return between.filter((_, place) => place % every === 0).map((at) => ({ generation: id, at }));
}

function sha256(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}
