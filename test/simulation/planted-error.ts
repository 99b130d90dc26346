/** An error that the simulation must find. */

import type { Planted } from '../../packages/core/test/support/mutant.ts';
import type { OptionalActor } from './actors/optional.ts';
import type { Wrappers } from './actors/replicator.ts';
import type { Invariant } from './claims.ts';

export interface PlantedError {
  /** The invariants that it breaks. */
  readonly breaks: readonly Invariant[];
  /** The first run that finds it. Default 1. */
  readonly foundBy?: number;
  /** The optional actors of each run. Default none. */
  readonly actors?: readonly OptionalActor[];
  /** Steps of each run before the actors that begin when everything else is done. Default all. */
  readonly steps?: number;
  /** Changes of the sources of core. */
  readonly sources?: readonly Planted[];
  /** Wrappers of one run. */
  readonly wrappers?: () => Wrappers;
}
