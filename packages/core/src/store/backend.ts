/** What a backend package exports: how a kind of storage is configured and connected to. */

import type { ConfigSchema } from '../config/schema.ts';
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
export type Operation = 'list' | 'read' | 'write' | 'replace' | 'delete' | 'abort';

export interface Backend<Config> {
  /** The version of this contract; an integer of its own, apart from package versions. */
  readonly contract: 1;
  /** "s3". Aliases are other Backends. */
  readonly scheme: string;
  /**
   * The keys of a destination with their types, defaults and help, by any validator of Standard Schema that
   * gives a JSON Schema. It validates at once, without a promise. What it gives is the config and the
   * replica's path. `type`, `name` and `url` are read by the host. (`@sluice/core/backend/config`)
   */
  readonly schema: ConfigSchema<Config & { readonly path: string }>;
  /** The provider's name of the right that each verb needs: "s3:PutObject on its objects". */
  readonly permissions?: Readonly<Partial<Record<Operation, string>>> | undefined;
  /** Gives the same keys that YAML would, as text. Throws CONFIG_INVALID for a URL of another kind. */
  fromURL(url: URL): unknown;
  /** Opens nothing, sends nothing. */
  describe(config: Config, path: string): DestinationDescription;
  connect(config: Config, context: ConnectContext): Promise<ReplicaClient>;
}

/** States the type of a backend. Returns it as it is: no registration, no work. */
export function defineBackend<Config>(backend: Backend<Config>): Backend<Config> {
  return backend;
}
