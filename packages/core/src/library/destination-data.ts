/** A destination as plain data, which an application hands to the process that replicates. */

import { keyOf } from '../config/url-query.ts';
import type { RetentionPolicy } from '../history/retention-policy.ts';
import type { RateLimits } from '../store/policy/limit-rate.ts';

/** What every destination of `openSluice` has, whatever its backend. */
export interface DestinationSettings {
  /** Unique among the destinations of its database. Default: the type, such as s3; s3-2 for a second one. */
  readonly name?: string | undefined;
  /** What is kept there. Default: `RETENTION_DEFAULTS`. */
  readonly retention?: Partial<RetentionPolicy> | 'everything' | undefined;
  /** Files are encrypted for these age recipients. A restore needs an identity. Default: files are stored as they are. */
  readonly encryption?:
    | {
        readonly recipients: readonly string[];
        readonly identities?: readonly string[] | undefined;
      }
    | undefined;
  /** What may be sent there. Default: no limit. */
  readonly limits?: RateLimits | undefined;
  /** Time between uploads there, if it is longer than that of the database. */
  readonly syncIntervalMs?: number | undefined;
  /** Time between full snapshots there. Default: that of the database. */
  readonly snapshotIntervalMs?: number | undefined;
}

/** A destination of `openSluice`, made by a function of a backend package, such as `s3` of @sluice/s3. */
export interface DestinationData {
  /** URL of the module that exports `backend`. The process that replicates imports it. */
  readonly module: string;
  /** The keys of the backend, as in YAML. */
  readonly keys: Readonly<Record<string, unknown>>;
  readonly settings: DestinationSettings;
  /** Called in the application, whenever the process that replicates needs credentials. */
  readonly credentials?: CredentialSource | undefined;
}

/** Returns what the backend takes as credentials. */
export type CredentialSource = () => unknown;

/**
 * Makes a destination. `module` is the `import.meta.url` of the package's entry, which exports `backend`.
 * `options` are the keys of its schema in camelCase; those that are undefined are left out. `credentials` is asked
 * by `context.credentials` of the backend's `connect`.
 */
export function destinationData(
  module: string,
  options: object,
  settings: DestinationSettings = {},
  credentials?: CredentialSource,
): DestinationData {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const keys = Object.fromEntries(given.map(([name, value]) => [keyOf(name), value as unknown]));
  return { module, keys, settings, credentials };
}
