/** A terminal of a new user: a folder, a PATH, and programs that stand in for those of the machine. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { splitWords } from '../../apps/cli/src/shell-words.ts';
import { CLI, CLIProcess, RUNTIME_FOLDER } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Terminal {
  #folder: string;
  #path: string;
  readonly #notes: string;

  constructor(folder: string, searchPath: string) {
    this.#folder = folder;
    this.#path = searchPath;
    this.#notes = path.join(temporaryFolder('walk-terminal'), 'notes');
  }

  get folder(): string {
    return this.#folder;
  }

  /** Another terminal, in the same folder and with the same PATH. */
  another(): Terminal {
    return new Terminal(this.#folder, this.#path);
  }

  /** Runs commands until one of them fails. `cd` and PATH last. */
  async run(commands: string): Promise<Outcome> {
    const remember = `printf '%s\\n%s\\n' "$PWD" "$PATH" >'${this.#notes}'`;
    const child = spawn('sh', ['-euc', `${commands}\n${remember}`], {
      cwd: this.#folder,
      env: { ...process.env, ...this.#environment() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      closed,
    ]);
    if (code === 0) {
      const [folder = '', searchPath = ''] = fs.readFileSync(this.#notes, 'utf8').split('\n');
      this.#folder = folder;
      this.#path = searchPath;
    }
    return { code, stdout, stderr };
  }

  /** Starts the one command of a block, which runs until it is interrupted. */
  start(command: string): CLIProcess {
    const [program, ...words] = splitWords(command);
    if (program !== 'sluice') throw new Error(`not a command of sluice: ${command}`);
    return new CLIProcess(words, this.#environment(), this.#folder);
  }

  #environment(): NodeJS.ProcessEnv {
    return { PATH: this.#path, XDG_RUNTIME_DIR: RUNTIME_FOLDER, SLUICE_CONFIG: '' };
  }
}

/** A folder with `sqlite3`, and with a `git` whose clone of `url` has the tool that was built here. */
export function standIns(url: string): string {
  const folder = temporaryFolder('walk-programs');
  const write = (name: string, lines: readonly string[]): void =>
    fs.writeFileSync(path.join(folder, name), `${lines.join('\n')}\n`, { mode: 0o755 });
  write('git', [
    '#!/bin/sh -eu',
    `test "$*" = 'clone ${url}'`,
    'mkdir -p sluice/bin',
    `printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' '${process.execPath}' '${CLI}' >sluice/bin/sluice`,
    'chmod +x sluice/bin/sluice',
  ]);
  const library = JSON.stringify(fileURLToPath(import.meta.resolve('better-sqlite3')));
  write('sqlite3.cjs', [
    `const [, , file, sql] = process.argv;`,
    `const database = new (require(${library}))(file);`,
    `if (/^SELECT/.test(sql)) for (const row of database.prepare(sql).raw().all()) console.log(row.join('|'));`,
    `else database.exec(sql);`,
  ]);
  write('sqlite3', ['#!/bin/sh', `exec '${process.execPath}' '${folder}/sqlite3.cjs' "$@"`]);
  return folder;
}
