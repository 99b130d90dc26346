/** Counts the requests of a call as steps, and lets a test act at one of them. */

/**
 * 'before': the request is not executed yet. 'after': it is executed but not answered yet. 'lost': it is
 * executed and its response is dropped.
 */
export type Moment = 'before' | 'after' | 'lost';

export interface Step {
  /** Whether the call reached this step. */
  readonly isReached: () => boolean;
}

export class Steps {
  #count = 0;
  #wanted: number | undefined;
  #moment: Moment = 'before';
  #act: () => void = () => undefined;

  /** Acts once, at the n-th step from now. */
  at(step: number, moment: Moment, act: () => void = () => undefined): Step {
    this.#count = 0;
    this.#wanted = step;
    this.#moment = moment;
    this.#act = act;
    return { isReached: () => this.#count >= step };
  }

  /** Stops counting and acting. */
  reset(): void {
    this.#wanted = undefined;
  }

  /** Called before each step. Returns the action for it, if any. */
  next(): { readonly moment: Moment; readonly act: () => void } | undefined {
    if (this.#wanted === undefined) return undefined;
    this.#count += 1;
    return this.#count === this.#wanted ? { moment: this.#moment, act: this.#act } : undefined;
  }
}
