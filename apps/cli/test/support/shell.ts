/** Runs the command line tool in the test process, with its own environment. */

import { Writable } from 'node:stream';
import { runCLI } from '../../src/cli.ts';
import { checkOutput } from './json-output.ts';
import { Secrets } from '../../src/secrets.ts';
import type { Environment, Shell } from '../../src/shell.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class CapturedShell implements Shell {
  readonly environment: Environment;
  readonly configPaths: readonly string[];
  readonly secrets = new Secrets();
  readonly #out = new Capture();
  readonly #err = new Capture();

  constructor(environment: Environment = {}, configPaths: readonly string[] = []) {
    this.environment = environment;
    this.configPaths = configPaths;
  }

  get stdout(): Capture {
    return this.#out;
  }

  get stderr(): Capture {
    return this.#err;
  }
}

export class Capture extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export async function sluice(
  words: readonly string[],
  environment: Environment = {},
  configPaths: readonly string[] = [],
): Promise<Outcome> {
  const shell = new CapturedShell(environment, configPaths);
  const code = await runCLI(words, shell);
  checkOutput(words, shell.stdout.text);
  return { code, stdout: shell.stdout.text, stderr: shell.stderr.text };
}
