/**
 * What must not be printed, wherever it turns up: a vendor's error may quote what it was given.
 * The last line of defence; the first is that secrets are `Secret`s, which print as [redacted].
 */

/** Shorter ones are common words, and would blot out innocent text. */
const LENGTH_MIN = 6;
const REDACTED = '[redacted]';

export class Secrets {
  readonly #values = new Set<string>();

  add(value: string): void {
    if (value.length >= LENGTH_MIN) this.#values.add(value);
  }

  /** `text` without any of them, also not as a URL spells them. */
  clean(text: string): string {
    let cleaned = text;
    for (const value of this.#values) {
      for (const spelling of spellings(value)) cleaned = cleaned.replaceAll(spelling, REDACTED);
    }
    return cleaned;
  }
}

function spellings(value: string): Set<string> {
  return new Set([value, encodeURIComponent(value)]);
}

/** Takes user, password and query from what looks like a URL: they may hold secrets. */
export function bareURL(text: string): string {
  return text.replace(/\?.*$/s, '').replace(/:\/\/[^/@]*@/, '://');
}
