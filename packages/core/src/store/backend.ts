/** The export of a backend package: how to configure a type of storage and connect to it. */

import type { ConfigSchema } from '../config/schema.ts';
import type { ReplicaClient } from './client.ts';

/** Receives log lines. `fields` are structured data beside the message. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a backend gets when it connects. */
export interface ConnectContext {
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Only a client with access 'write' may clean up after an earlier process (temporary files, uploads). */
  readonly access: 'read' | 'write';
  /** Asks the program for credentials, if it has a function for them. Its value is for the backend to check. */
  readonly credentials?: (() => Promise<unknown>) | undefined;
}

/** A configured destination, described for people and for the host. */
export interface DestinationDescription {
  /** "s3://bucket/app at https://…". Contains no secret. */
  readonly target: string;
  /** Equal for two destinations that would write to the same place. Default: `target`. */
  readonly place?: string | undefined;
  /** The folder on this machine that contains the files. Absent if they are stored elsewhere. */
  readonly folder?: string | undefined;
  /** The name of the provider for messages: the host of the endpoint. */
  readonly provider?: string | undefined;
  /** Larger files are uploaded in parts. Default: core's. */
  readonly partBytes?: number | undefined;
}

/** An operation that needs a permission of the provider. */
export type Operation = 'list' | 'read' | 'write' | 'replace' | 'delete' | 'abort';

/** A type of destination. A package exports it as `backend`. See docs/write-a-backend.md. */
export interface Backend<Config> {
  /** The version of this contract, independent of package versions. */
  readonly contract: 1;
  /** "s3". Aliases are other Backends. */
  readonly scheme: string;
  /**
   * The keys of a destination with their types, defaults and help, made with any Standard Schema validator
   * that provides a JSON Schema. Validation is synchronous. Its output is the config and the replica's
   * path. The host reads `type`, `name` and `url`. Fields: `@sluice/core/backend/config`.
   */
  readonly schema: ConfigSchema<Config & { readonly path: string }>;
  /** The provider's name of the permission for each operation: "s3:PutObject on its objects". */
  readonly permissions?: Readonly<Partial<Record<Operation, string>>> | undefined;
  /** Returns the same keys as YAML would, as text. Throws CONFIG_INVALID if the URL is not valid for this backend. */
  fromURL(url: URL): unknown;
  /** Opens and sends nothing. */
  describe(config: Config, path: string): DestinationDescription;
  connect(config: Config, context: ConnectContext): Promise<ReplicaClient>;
}

/** Declares the type of a backend. Returns it unchanged. */
export function defineBackend<Config>(backend: Backend<Config>): Backend<Config> {
  return backend;
}
