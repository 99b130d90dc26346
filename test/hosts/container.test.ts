/** `sluice replicate` as in containers: as process 1, and as a user without an account. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { start } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const PROCESS_ONE = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];
const UNKNOWN_USER = ['--user', '--map-user=1234567', '--map-group=1234567'];
const EXIT_CODE = 7;

function database(folder: string): string {
  const file = path.join(folder, 'app.db');
  const db = new Database(file);
  db.pragma('journal_mode = wal');
  db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  db.close();
  return file;
}

function script(folder: string, text: string): string {
  const file = path.join(folder, 'application.sh');
  fs.writeFileSync(file, `#!/bin/sh\n${text}`, { mode: 0o755 });
  return file;
}

class Contained {
  readonly #child;
  readonly #ended: Promise<unknown[]>;
  #output = '';

  constructor(namespaces: readonly string[], words: readonly string[], env = process.env) {
    const program = [process.execPath, CLI, ...words];
    this.#child = spawn('unshare', [...namespaces, ...program], { env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
        this.#child.emit('output');
      });
    }
    this.#ended = once(this.#child, 'close');
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  /** Resolves when the output matches. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) await once(this.#child, 'output');
  }

  /** Signals the child of `unshare`, which does not forward signals itself. */
  signalProcessOne(name: NodeJS.Signals): void {
    const { pid } = this.#child;
    process.kill(Number(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), name);
  }

  async ended(): Promise<{ code: number | null; output: string }> {
    const [code] = (await this.#ended) as [number | null];
    return { code, output: this.#output };
  }
}

const hasNamespaces = [PROCESS_ONE, UNKNOWN_USER].every(
  (namespaces) => spawnSync('unshare', [...namespaces, 'true']).status === 0,
);

// With SLUICE_REQUIRE=all nothing is skipped: missing namespaces fail the tests.
describe.skipIf(!hasNamespaces && process.env['SLUICE_REQUIRE'] !== 'all')(
  hasNamespaces ? 'in a container' : 'in a container (unshare with user namespaces not installed)',
  () => {
    test('process 1 reaps orphaned children of the command', async () => {
      const folder = temporaryFolder('container');
      // Each inner shell exits at once, and its `sleep` becomes a child of process 1.
      const application = script(
        folder,
        `for i in 1 2 3; do (sleep 0.2 & echo orphan $!); done
for i in $(seq 40); do
  asleep=no
  for comm in /proc/[0-9]*/comm; do read -r name <"$comm" && [ "$name" = sleep ] && asleep=yes; done
  [ $asleep = yes ] || break
  sleep 0.05 & wait $!
done
states=
for stat in /proc/[0-9]*/stat; do
  read -r line <"$stat" || continue
  line=\${line##*) }
  states=$states\${line%% *}
done
echo "states: [$states]"
exit ${EXIT_CODE}
`,
      );
      const words = ['replicate', '-exec', application, database(folder), `file://${folder}/b`];
      const { code, output } = await new Contained(PROCESS_ONE, words).ended();
      expect(code, output).toBe(EXIT_CODE);
      expect(output.match(/^orphan \d+$/gm)).toHaveLength(3);
      const [, states] = /states: \[(.*)\]/.exec(output) ?? [];
      expect(states).toMatch(/^[A-Y]/);
      expect(states).not.toContain('Z');
    });

    test('process 1 forwards signals and, after a final sync, exits with the code of the command', async () => {
      const folder = temporaryFolder('container');
      const application = script(
        folder,
        `trap 'echo "the command got TERM"; exit ${EXIT_CODE}' TERM
echo "the command is up"
while :; do sleep 1 & wait $!; done
`,
      );
      const words = ['replicate', '-exec', application, database(folder), `file://${folder}/b`];
      const contained = new Contained(PROCESS_ONE, words);
      await contained.says(/the command is up/);
      contained.signalProcessOne('SIGTERM');
      const { code, output } = await contained.ended();
      expect(code, output).toBe(EXIT_CODE);
      expect(output.match(/the command got TERM/g)).toHaveLength(1);
      expect(output).toContain('file has everything');
    });

    test('a user without an account and without HOME can replicate to s3', async () => {
      const folder = temporaryFolder('container');
      const server = await start();
      onTestFinished(() => server.stop());
      const query = new URLSearchParams({ endpoint: server.endpoint, region: server.region });
      const url = `s3://${server.bucket}/app?${query.toString()}`;
      const { HOME: _, USER: __, LOGNAME: ___, ...env } = process.env;
      const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } =
        server.credentials;
      const words = ['replicate', '-once', database(folder), url];
      const keys = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
      const { code, output } = await new Contained(UNKNOWN_USER, words, {
        ...env,
        ...keys,
      }).ended();
      expect(code, output).toBe(0);
      expect(server.raw.keys()).not.toEqual([]);
    });
  },
);
