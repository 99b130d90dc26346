/** What a backend's author tells the kit: what is claimed, and how to get a place to try it in. */

import type { Backend, Capabilities, Layout, ReplicaClient } from '@sluice/core/backend';

import type { Deviation } from './deviation.ts';

/** The backend itself, or what the engine makes of it: checked, retried, limited. */
export type Layer = 'bare' | 'wrapped';

/** What a set-up may offer beyond a connection. What is not offered is not judged, and said. */
export interface Hooks {
  /** What lies there, seen from outside. Keys are whole: root and all. */
  readonly raw?: {
    put(key: string, bytes: Uint8Array): Promise<void>;
    keys(prefix: string): Promise<string[]>;
  };
  /** Takes the place of a replica away as a whole: the bucket, the disk. Returns what brings it back. */
  readonly vanish?: (path: string) => Promise<() => Promise<void>>;
  /** A connection whose credentials may do nothing. */
  readonly denied?: () => Promise<ReplicaClient>;
  /** A connection to where nobody answers. */
  readonly unreachable?: () => Promise<ReplicaClient>;
  /** A connection to where somebody accepts and never answers: `startRelay()`. */
  readonly silent?: () => Promise<ReplicaClient>;
  /** A connection that can be cut from the server's side: `startRelay({ host, port })`. */
  readonly cuttable?: () => Promise<Cuttable>;
  /** Files and sockets that this process holds open. */
  readonly handles?: () => Promise<number>;
  /** How another process gets to the same place: to see what is left there when this one is gone. */
  readonly elsewhere?: Elsewhere;
}

export interface Cuttable {
  readonly client: ReplicaClient;
  /** Ends what is open; the server can be reached again at once. */
  readonly cut: () => Promise<void>;
}

export interface Elsewhere {
  /** URL of a module that exports `backend`, as a backend's package does. */
  readonly module: string;
  /** What its schema is given; plain data. */
  readonly input: unknown;
}

export interface Setup extends Hooks {
  connect(access: 'read' | 'write'): Promise<ReplicaClient>;
  /** A path where nothing was ever written; another one each time. */
  newPath(): string;
  stop(): Promise<void>;
}

/** For the cases of `schema`, `fromURL` and `describe`. Nothing here is connected to. */
export interface Configuration {
  readonly backend: Backend<unknown>;
  /** A right configuration of the replica at a path, as YAML would give it. Plain data. */
  readonly input: (path: string) => unknown;
  /** A URL that says the same as `input(path)`, where one can. */
  readonly url?: ((path: string) => string) | undefined;
}

export interface Subject {
  readonly name: string;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  /** Default: judged where a client has `copy`. */
  readonly copy?: 'claimed' | 'not-claimed' | undefined;
  readonly hooks: readonly (keyof Hooks)[];
  /** Where the backend begins to send a body in parts; sizes around it are tried. */
  readonly partSizeBytes: number;
  /** What must not be read in any message. */
  readonly secrets: readonly string[];
  /** By the ids of cases that are known to fail; "open/version (bare)" is of one layer. */
  readonly deviations?: Readonly<Record<string, string | Deviation>> | undefined;
  /** Default: both. */
  readonly layers?: readonly Layer[] | undefined;
  readonly configuration?: Configuration | undefined;
  open(): Promise<Setup>;
}

export const LAYERS: readonly Layer[] = ['bare', 'wrapped'];
