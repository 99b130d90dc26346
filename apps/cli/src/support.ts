/** Whether a command, flag or key of Sluice or Litestream is supported. */

export type Support =
  | { readonly kind: 'works' }
  /** Accepted, but without effect in this version; the note is logged at the start. */
  | { readonly kind: 'noted'; readonly note: string }
  /** Refused with a reason. */
  | { readonly kind: 'refused'; readonly reason: string; readonly instead: string };

/** The versions of Litestream that have it too: 0.5, 0.3, both, or none. */
export type KnownBy = '0.5' | '0.3' | 'both' | 'ours';

export const WORKS: Support = { kind: 'works' };

export function noted(note: string): Support {
  return { kind: 'noted', note };
}

export function refused(reason: string, instead: string): Support {
  return { kind: 'refused', reason, instead };
}

/** Refused until a later version supports it. */
export function notYet(reason: string, instead: string): Support {
  return refused(`not yet: ${reason}`, instead);
}

/** "not yet: …; use …", the text for errors and the documentation. */
export function refusalOf(support: Support & { kind: 'refused' }): string {
  return `${support.reason}; ${support.instead}`;
}
