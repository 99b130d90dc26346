/** The control socket of one database, if it has commands. Replication does not depend on it. */

import { messageOf } from '../error.ts';
import type { Logger } from '../store/backend.ts';
import { type ControlCommands, ControlServer } from './server.ts';

export class ServedCommands {
  readonly #metaPath: string;
  readonly #commands: ControlCommands | undefined;
  readonly #logger: Logger;
  #starting: Promise<void> | undefined;
  #server: ControlServer | undefined;

  constructor(metaPath: string, commands: ControlCommands | undefined, logger: Logger) {
    this.#metaPath = metaPath;
    this.#commands = commands;
    this.#logger = logger;
  }

  /** Call it while the staging folder is locked. A failure is logged. */
  async start(): Promise<void> {
    if (this.#commands !== undefined) this.#starting ??= this.#listen(this.#commands);
    await this.#starting;
  }

  /** A failure is logged: the database must be closed all the same. */
  async close(): Promise<void> {
    this.#starting ??= Promise.resolve(); // it is not started later
    await this.#starting;
    try {
      await this.#server?.close();
    } catch (error) {
      this.#logger.warn(`close the control socket in ${this.#metaPath}: ${messageOf(error)}`);
    }
  }

  async #listen(commands: ControlCommands): Promise<void> {
    try {
      this.#server = await ControlServer.listen(this.#metaPath, commands);
    } catch (error) {
      this.#logger.warn(`"sluice sync" and "sluice info" cannot be used: ${messageOf(error)}`);
    }
  }
}
