/** What a backend package exports: how a kind of destination is configured and connected to. */

import type { ConfigSchema } from '../config/schema.ts';
import type { AbortableOptions, NamedObjects, ReplicaClient } from './client.ts';
import type { Layout } from './layout.ts';

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

/** How a configured destination looks to people, and what the host must know of it. */
export interface DestinationDescription {
  /** "s3://bucket/app at https://…", without a secret. */
  readonly target: string;
  /** Equal for two destinations whose files would lie in one place. Default: `target`. */
  readonly place?: string | undefined;
  /** The folder of this machine that holds the files. Absent: they lie elsewhere. */
  readonly folder?: string | undefined;
  /** Who keeps the files, for a sentence: the host of the endpoint. */
  readonly provider?: string | undefined;
  /** Above this size a file goes up in parts. Default: core's. */
  readonly partBytes?: number | undefined;
}

/** What a destination is asked for, and what may be denied. */
export type Verb = 'list' | 'read' | 'write' | 'replace' | 'delete' | 'abort';

export interface Backend<Config> {
  /** The version of this contract; an integer of its own, apart from package versions. */
  readonly contract: 1;
  /** "s3". Aliases are other Backends. */
  readonly scheme: string;
  /** Which keys the files of a replica get. Default: hex-level. */
  readonly layout?: Layout | undefined;
  /**
   * The keys of a destination with their types, defaults and help, by any validator of Standard Schema that
   * gives a JSON Schema. It validates at once, without a promise. What it gives is the config and the
   * replica's path. `type`, `name` and `url` are read by the host. (`@sluice/core/backend/config`)
   */
  readonly schema: ConfigSchema<Config & { readonly path: string }>;
  /** The provider's name of the right that each verb needs: "s3:PutObject on its objects". */
  readonly permissions?: Readonly<Partial<Record<Verb, string>>> | undefined;
  /** Gives the same keys that YAML would, as text. Throws CONFIG_INVALID for a URL of another kind. */
  fromURL(url: URL): unknown;
  /** Opens nothing, sends nothing. */
  describe(config: Config, path: string): DestinationDescription;
  connect(config: Config, context: ConnectContext): Promise<Destination>;
}

/** States the type of a backend. Returns it as it is: no registration, no work. */
export function defineBackend<Config>(backend: Backend<Config>): Backend<Config> {
  return backend;
}
