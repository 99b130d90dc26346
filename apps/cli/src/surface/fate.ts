/** What becomes of a command, a flag or a key that we have, or that Litestream has. */

export type Fate =
  | { readonly kind: 'works' }
  /** Taken, and of no effect in this version: said at the start. */
  | { readonly kind: 'noted'; readonly note: string }
  /** Refused by name. `except` is a value that asks for nothing, and so is let through. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly instead: string;
      readonly except?: string | undefined;
    };

/** Who else knows the word: Litestream 0.5, 0.3, both, or nobody. */
export type KnownBy = '0.5' | '0.3' | 'both' | 'ours';

export const WORKS: Fate = { kind: 'works' };

export function noted(note: string): Fate {
  return { kind: 'noted', note };
}

export function refused(reason: string, instead: string): Fate {
  return { kind: 'refused', reason, instead };
}

/** Refused because a later version brings it. */
export function notYet(reason: string, instead: string): Fate {
  return refused(`not yet: ${reason}`, instead);
}

/** `except` is what it says by default: a configuration that spells it out asks for nothing. */
export function notYetUnless(except: string, reason: string, instead: string): Fate {
  return { kind: 'refused', reason: `not yet: ${reason}`, instead, except };
}

/** "not yet: …; use …", as errors and the documentation say it. */
export function refusalOf(fate: Fate & { kind: 'refused' }): string {
  return `${fate.reason}; ${fate.instead}`;
}
