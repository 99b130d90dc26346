/** Whether this version has a command, a flag or a key that Litestream has, and the words of a refusal. */

export type Support =
  | { readonly kind: 'works' }
  /** Accepted without effect: the start says so. */
  | { readonly kind: 'noted'; readonly note: string }
  /** Refused by name. `except` is a value that asks for nothing, so it is accepted. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly instead: string;
      readonly except?: string | undefined;
    };

/** Who else knows the word: Litestream 0.5, 0.3, both, or nobody. */
export type KnownBy = '0.5' | '0.3' | 'both' | 'ours';

export const WORKS: Support = { kind: 'works' };

export function noted(note: string): Support {
  return { kind: 'noted', note };
}

export function refused(reason: string, instead: string): Support {
  return { kind: 'refused', reason, instead };
}

/** Refused because a later version brings it. */
export function notYet(reason: string, instead: string): Support {
  return refused(`not yet: ${reason}`, instead);
}

/** `except` is what it says by default: a configuration that spells it out asks for nothing. */
export function notYetUnless(except: string, reason: string, instead: string): Support {
  return { kind: 'refused', reason: `not yet: ${reason}`, instead, except };
}

/** "not yet: …; use …", as errors and the documentation say it. */
export function refusalOf(fate: Support & { kind: 'refused' }): string {
  return `${fate.reason}; ${fate.instead}`;
}
