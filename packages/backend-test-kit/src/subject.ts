/** The backend under test: its claimed features, and how to set up a destination for it. */

import type { Backend, Capabilities, Layout, ReplicaClient } from '@sluice/core/backend';

import type { Deviation } from './deviation.ts';

/** `bare` is the backend itself; `wrapped` adds the engine's checks, retries and limits. */
export type Layer = 'bare' | 'wrapped';

/** Optional features of a setup. Cases that need a missing hook are reported as not tested. */
export interface Hooks {
  /** Direct access to the storage, without the backend. Keys are complete. */
  readonly raw?: {
    put(key: string, bytes: Uint8Array): Promise<void>;
    keys(prefix: string): Promise<string[]>;
  };
  /** Makes the bucket or disk of a replica unavailable. Returns a function that restores it. */
  readonly vanish?: (path: string) => Promise<() => Promise<void>>;
  /** A client whose credentials have no permissions. */
  readonly denied?: () => Promise<ReplicaClient>;
  /** A client for an address where nothing listens. */
  readonly unreachable?: () => Promise<ReplicaClient>;
  /** A client for a server that accepts connections and never responds: `startRelay()`. */
  readonly silent?: () => Promise<ReplicaClient>;
  /** A client whose connections can be closed by the server: `startRelay({ host, port })`. */
  readonly cuttable?: () => Promise<Cuttable>;
  /** Number of files and sockets that this process has open. */
  readonly handles?: () => Promise<number>;
  /** How a child process opens the same destination, for the durability cases. */
  readonly otherProcess?: OtherProcessConfig;
}

export interface Cuttable {
  readonly client: ReplicaClient;
  /** Closes open connections. New connections work immediately. */
  readonly cut: () => Promise<void>;
}

export interface OtherProcessConfig {
  /** URL of a module that exports `backend`, like a backend's package. */
  readonly module: string;
  /** Input of the backend's schema. Plain data. */
  readonly input: unknown;
}

export interface Setup extends Hooks {
  connect(access: 'read' | 'write'): Promise<ReplicaClient>;
  /** Returns a new, unused path on each call. */
  newPath(): string;
  stop(): Promise<void>;
}

/** Input for the cases of `schema`, `fromURL` and `describe`. The kit does not connect to it. */
export interface Configuration {
  readonly backend: Backend<unknown>;
  /** A valid configuration of the replica at a path, as parsed from YAML. Plain data. */
  readonly input: (path: string) => unknown;
  /** The URL that is equivalent to `input(path)`, if there is one. */
  readonly url?: ((path: string) => string) | undefined;
}

export interface Subject {
  readonly name: string;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  /** Default: claimed if the client has `copy`. */
  readonly copy?: 'claimed' | 'not-claimed' | undefined;
  readonly hooks: readonly (keyof Hooks)[];
  /** Size above which the backend sends a body in parts. Sizes around it are tested. */
  readonly partSizeBytes: number;
  /** Values that must not appear in any message. */
  readonly secrets: readonly string[];
  /** Cases that are known to fail, by ID. "open/version (bare)" applies to one layer. */
  readonly deviations?: Readonly<Record<string, string | Deviation>> | undefined;
  /** Default: both. */
  readonly layers?: readonly Layer[] | undefined;
  readonly configuration?: Configuration | undefined;
  open(): Promise<Setup>;
}

export const LAYERS: readonly Layer[] = ['bare', 'wrapped'];
