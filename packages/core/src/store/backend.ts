/** What a backend package exports: how a kind of storage is configured and connected to. */

import type { ReplicaClient } from './client.ts';

export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ConnectContext {
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Only a client with access 'write' may mend what an earlier process left (temporary files, uploads). */
  readonly access: 'read' | 'write';
}

export interface ParsedConfig<Config> {
  /** All but the replica's path: equal configs share one client. */
  readonly config: Config;
  /** Where this replica lies below the place. */
  readonly path: string;
}

export interface Backend<Config> {
  /** The version of this contract; an integer of its own, apart from package versions. */
  readonly contract: 1;
  /** "s3". Aliases are other Backends. */
  readonly scheme: string;
  /** Throws CONFIG_INVALID with every issue and its path. */
  parse(input: unknown): ParsedConfig<Config>;
  /** Gives the same input that YAML would. */
  fromURL(url: URL): unknown;
  connect(config: Config, context: ConnectContext): Promise<ReplicaClient>;
}

/** States the type of a backend. Returns it as it is: no registration, no work. */
export function defineBackend<Config>(backend: Backend<Config>): Backend<Config> {
  return backend;
}
