/** What a backend package exports: how a kind of destination is configured and connected to. */

import type { AbortableOptions, NamedObjects, ReplicaClient } from './client.ts';

export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ConnectContext {
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Only a destination that may be written to is ever mended (temporary files, stale uploads). */
  readonly access: 'read' | 'write';
}

/** Absent = not claimed. What is claimed must work; what is not is refused before it is asked for. */
export interface Capabilities {
  /** Not claimed: core reads the whole object and cuts, and plans for that. */
  readonly ranges?: true | undefined;
  /** Conditional writes may end where multipart begins. */
  readonly ifAbsent?: 'any-size' | { readonly sizeMax: number } | undefined;
  readonly sizeMax?: number | undefined;
}

/** One place with one set of credentials: one SDK client or one SSH connection for all databases. */
export interface Destination {
  /** "s3://bucket": for logs; holds no secret. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Opens nothing, sends nothing. */
  replica(path: string): ReplicaClient;
  /** Present = claimed. */
  objects?(path: string): NamedObjects;
  /**
   * Removes what the backend itself has made for a replica, where nothing else is in it: folders, a
   * marker. What holds anything else stays, and that is no failure. Present = there are such things.
   */
  removeEmpty?(path: string, options?: AbortableOptions): Promise<void>;
  /**
   * Whether the folder of a replica has not been made yet: nothing is there, this destination never saw
   * anything there, the folder that holds it is there, and its disk is mounted as far as that can be told.
   * With access 'read' a listing is REPLICA_DESTINATION_NOT_FOUND all the same. Present = replicas lie in
   * folders.
   */
  isNew?(path: string, options?: AbortableOptions): Promise<boolean>;
  /**
   * Asked where a listing of all levels has nothing, before that is taken for "no backup".
   * REPLICA_UNSUPPORTED where files lie beside that this replica may be meant to have: of the other
   * layout, say. Present = it can tell.
   */
  lookBeside?(path: string, options?: AbortableOptions): Promise<void>;
  /** Safe to call twice; calls in flight reject with REPLICA_CLOSED; sockets gone after CLOSE_MS_MAX. */
  close(): Promise<void>;
}

/** How long `close()` may take to have all its sockets and files gone. */
export const CLOSE_MS_MAX = 5_000;

export interface ParsedConfig<Config> {
  /** All but the replica's path: equal configs share a Destination. */
  readonly config: Config;
  /** Where this replica lies below the destination. */
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
  connect(config: Config, context: ConnectContext): Promise<Destination>;
}

/** States the type of a backend. Returns it as it is: no registration, no work. */
export function defineBackend<Config>(backend: Backend<Config>): Backend<Config> {
  return backend;
}
