/** Destinations on real servers that have each lost most of their files are restored together, and repaired. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { ReplicaFiles } from '@sluice/core';
import type { LTXFileInfo } from '@sluice/core/backend/testing';
import { expect, onTestFinished, test } from 'vitest';
import { describeInCI } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { CLI } from './chaos/replicator.ts';
import { SERVER_TOOLS, startServers, type ChaosDestination } from './chaos/servers.ts';
import { bytesOf } from './kill-loop/verify.ts';

/** Exit code of a repair that has found something. */
const EXIT_REPAIR = 16;
const RUNS = 6;
const TIMEOUT_MS = 600_000;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Backups {
  readonly database: string;
  readonly #folder: string;
  readonly #config: string;

  constructor(destinations: readonly ChaosDestination[]) {
    this.#folder = temporaryFolder('shredded');
    this.database = path.join(this.#folder, 'app.db');
    this.#config = path.join(this.#folder, 'sluice.yml');
    const replicas = destinations.map(({ input }) => input);
    // JSON is YAML. Without merged files every moment needs all files before it.
    const levels = { levels: [{ interval: '1h' }], snapshot: { interval: '24h' } };
    fs.writeFileSync(
      this.#config,
      JSON.stringify({ ...levels, dbs: [{ path: this.database, replicas }] }),
    );
  }

  commit(): void {
    const database = new Database(this.database);
    database.pragma('journal_mode=wal');
    database.exec('CREATE TABLE IF NOT EXISTS t(a)');
    database.exec('INSERT INTO t VALUES(hex(randomblob(2000)))');
    database.close();
  }

  async run(command: string, ...words: readonly string[]): Promise<Outcome> {
    const all = [CLI, command, '-config', this.#config, ...words];
    return await new Promise((resolve) => {
      execFile(process.execPath, all, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** Bytes of the restored database. */
  async restore(...words: readonly string[]): Promise<Buffer> {
    const output = path.join(this.#folder, 'restored.db');
    const { code, stderr } = await this.run('restore', ...words, '-o', output, this.database);
    expect(code, stderr).toBe(0);
    const bytes = fs.readFileSync(output);
    fs.rmSync(output);
    return bytes;
  }
}

/** Each file survives at one destination. Of the others, one lacks it and one has it with a wrong byte. */
async function shred(destinations: readonly ChaosDestination[]): Promise<void> {
  for (const [place, destination] of destinations.entries()) {
    const { client, close } = await destination.open('write');
    try {
      const files = await Array.fromAsync(client.listFiles('all'));
      expect(files.length).toBeGreaterThanOrEqual(RUNS);
      for (const [index, file] of files.entries()) {
        const turn = (index + place) % destinations.length;
        if (turn === 1) await client.deleteFiles([file]);
        if (turn === 2) await damage(client, file);
      }
    } finally {
      await close();
    }
  }
}

/** Changes one byte in the middle. */
async function damage(client: ReplicaFiles, file: LTXFileInfo): Promise<void> {
  const { body } = await client.openFile(file);
  const bytes = Buffer.concat(await Array.fromAsync(body));
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const open = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  await client.writeFile(file, { sizeBytes: bytes.length, createdAt: file.createdAt, open });
}

describeInCI(
  SERVER_TOOLS,
  'three destinations on real servers, each file whole at one of them',
  () => {
    test(
      'are restored together, and repaired until each restores alone',
      { timeout: TIMEOUT_MS },
      async () => {
        const servers = await startServers();
        onTestFinished(() => servers.stop());
        const { destinations } = servers;
        const backups = new Backups(destinations);
        for (let run = 0; run < RUNS; run++) {
          backups.commit();
          const { code, stderr } = await backups.run('replicate', '-once');
          expect(code, stderr).toBe(0);
        }
        await shred(destinations);
        const expected = bytesOf(backups.database);
        expect((await backups.restore()).equals(expected)).toBe(true);

        const found = await backups.run('repair', '-dry-run', '-json', backups.database);
        expect(found.code, found.stderr).toBe(EXIT_REPAIR);
        const mended = await backups.run('repair', '-read-data', backups.database);
        expect(mended.code, mended.stdout + mended.stderr).toBe(0);
        const again = await backups.run('repair', '-dry-run', '-read-data', backups.database);
        expect(again.code, again.stdout + again.stderr).toBe(0);
        for (const { name } of destinations) {
          expect((await backups.restore('-replica', name)).equals(expected), name).toBe(true);
        }
      },
    );
  },
);
