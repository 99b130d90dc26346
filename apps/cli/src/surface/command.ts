/** What a command and a flag are, for the table of commands. */

import { WORKS, type KnownBy, type Support } from '../support.ts';

export interface Flag {
  readonly name: string;
  /** A switch takes only the values `=true` and `=false`. An optional flag is a switch, or has a value after `=`. */
  readonly kind: 'switch' | 'text' | 'optional';
  /** Placeholder of its value in the help. */
  readonly value?: string | undefined;
  readonly help: string;
  readonly knownBy: KnownBy;
  readonly support: Support;
}

export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly knownBy: KnownBy;
  readonly support: Support;
  /** The command of which it is an alias. */
  readonly aliasOf?: string | undefined;
  readonly flags: readonly Flag[];
  /** Default: unlimited; the command itself may refuse some. */
  readonly argumentsMax?: number | undefined;
  /** Shown below the flags. */
  readonly examples?: readonly string[] | undefined;
}

/** What differs from most flags. */
export type Rest = {
  readonly value?: string;
  readonly knownBy?: KnownBy;
  readonly support?: Support;
};

/** A switch, or with `value` a text flag. By default it works, and both versions of Litestream have it. */
export const flag = (name: string, help: string, rest: Rest = {}): Flag => ({
  name,
  kind: rest.value === undefined ? 'switch' : 'text',
  help,
  knownBy: 'both',
  support: WORKS,
  ...rest,
});
