/** Rounds of SIGKILL for Litestream. It makes no claims; only the consistency of restores is verified. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { isNothingThere, restoreWithLitestream, startLitestream } from '../rival.ts';
import { kill } from './children.ts';
import { applicationAlone, type RoundReport } from './epoch.ts';
import { verifyFile } from './verify.ts';
import { Setup } from './setup.ts';

/** Time for Litestream to start. */
const RIVAL_MS = 400;

export class RivalEpoch {
  readonly #binary: string;
  readonly #random: Random;
  readonly #setup: Setup;
  #replicator: ChildProcess | undefined;
  #round = 0;

  constructor(folder: string, binary: string, random: Random) {
    this.#binary = binary;
    this.#random = random;
    this.#setup = new Setup({ folder, path: 'plain', stagingVolume: 'plain' }, random);
  }

  async round(): Promise<RoundReport> {
    const random = this.#random;
    const { application, database, destinations } = this.#setup;
    this.#round += 1;
    await applicationAlone(this.#setup, this.#round);
    this.#replicator = startLitestream(this.#binary, database, destinations[0]?.folder ?? '');
    await sleep(application.isRunning ? 0 : random.int(0, 600));
    await application.start(random.int(0, 2 ** 31));
    await sleep(RIVAL_MS + random.int(0, 1000));
    if (random.chance(0.15)) {
      await application.kill();
      await sleep(random.int(0, 200));
    }
    await kill(this.#replicator);
    if (random.chance(0.65)) await application.kill();
    const rest = { actor: undefined, story: [], reportAgeMs: 0, beginning: undefined };
    return { broken: this.#verify(), ...rest };
  }

  async end(): Promise<void> {
    await kill(this.#replicator);
    await this.#setup.end();
  }

  #verify(): string | undefined {
    const folder = this.#setup.destinations[0]?.folder ?? '';
    const output = path.join(this.#setup.folder, 'restored.db');
    const refused = restoreWithLitestream(this.#binary, folder, output);
    if (refused !== undefined) return isNothingThere(refused) ? undefined : refused;
    return verifyFile({ output, reported: undefined, attempted: this.#setup.readAttempted() });
  }
}
