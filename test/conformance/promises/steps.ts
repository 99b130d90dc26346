/** The steps of a call, as the other side sees them, and what may happen at one of them. */

/**
 * 'before': nothing of the step is done yet. 'after': it is done, and not answered yet. 'lost': it
 * is done, and its answer never comes.
 */
export type Moment = 'before' | 'after' | 'lost';

export interface Step {
  /** Whether the call came to this step. */
  readonly isReached: () => boolean;
}

export class Steps {
  #count = 0;
  #wanted: number | undefined;
  #moment: Moment = 'before';
  #act: () => void = () => undefined;

  /** Something at the n-th step from now on, once. */
  at(step: number, moment: Moment, act: () => void = () => undefined): Step {
    this.#count = 0;
    this.#wanted = step;
    this.#moment = moment;
    this.#act = act;
    return { isReached: () => this.#count >= step };
  }

  /** Nothing happens any more, and no step counts. */
  calm(): void {
    this.#wanted = undefined;
  }

  /** Called for each step before it is done: what is to happen at it, if anything. */
  next(): { readonly moment: Moment; readonly act: () => void } | undefined {
    if (this.#wanted === undefined) return undefined;
    this.#count += 1;
    return this.#count === this.#wanted ? { moment: this.#moment, act: this.#act } : undefined;
  }
}
