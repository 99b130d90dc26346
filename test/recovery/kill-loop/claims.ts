/** Claims about the replicated state of each destination, and damage done to it since. */

import { mostOf, reportedOf, type HostEvent, type Reported } from './events.ts';

export type Damage =
  | 'none'
  /** It lost files: a restore may fail but must never return a wrong state. */
  | 'lost files'
  /** It contains a database that was a mixture of two. */
  | 'mixed';

export class Claims {
  readonly #reported = new Map<number, Reported>();
  readonly #damage = new Map<number, { readonly kind: Damage; readonly seenFromRun: number }>();

  of(destination: number): Reported | undefined {
    return this.#reported.get(destination);
  }

  damageOf(destination: number): Damage {
    return this.#damage.get(destination)?.kind ?? 'none';
  }

  /** Records damage. Only claims of run `seenFromRun` and later runs count after that. */
  damaged(destination: number, kind: Damage, seenFromRun: number): void {
    this.#reported.delete(destination);
    this.#damage.set(destination, { kind, seenFromRun });
  }

  /** Records the claims that the replicator made in this run. */
  record(run: number, events: readonly HostEvent[], destinations: number): void {
    for (let destination = 0; destination < destinations; destination++) {
      const reported = reportedOf(events, destination);
      const damage = this.#damage.get(destination);
      if (reported === undefined || run < (damage?.seenFromRun ?? 0)) continue;
      this.#damage.delete(destination);
      this.#reported.set(destination, mostOf(this.#reported.get(destination), reported));
    }
  }
}
