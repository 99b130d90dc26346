/** What has been claimed to be at each destination, and which of them somebody has damaged since. */

import { mostOf, reportedOf, type HostEvent, type Reported } from './events.ts';

export type Damage =
  | 'none'
  /** It lost something: it may be in pieces, but what it gives back is never wrong. */
  | 'lost files'
  /** What it has is of a database that was a mixture of two. */
  | 'mixed';

export class Claims {
  readonly #reported = new Map<number, Reported>();
  readonly #damage = new Map<number, { readonly kind: Damage; readonly seenFromLife: number }>();

  of(destination: number): Reported | undefined {
    return this.#reported.get(destination);
  }

  damageOf(destination: number): Damage {
    return this.#damage.get(destination)?.kind ?? 'none';
  }

  /** It was damaged: only what a replicator claims that starts from life `seenFromLife` on counts. */
  damaged(destination: number, kind: Damage, seenFromLife: number): void {
    this.#reported.delete(destination);
    this.#damage.set(destination, { kind, seenFromLife });
  }

  /** Takes the claims that the replicator of this life made. */
  note(life: number, events: readonly HostEvent[], destinations: number): void {
    for (let destination = 0; destination < destinations; destination++) {
      const reported = reportedOf(events, destination);
      const damage = this.#damage.get(destination);
      if (reported === undefined || life < (damage?.seenFromLife ?? 0)) continue;
      this.#damage.delete(destination);
      this.#reported.set(destination, mostOf(this.#reported.get(destination), reported));
    }
  }
}
