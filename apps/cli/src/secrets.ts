/**
 * Values that must never be printed, for example because a vendor's error message quotes them. This
 * is the last line of defense; the first is the class `Secret`, which prints as [redacted].
 */

/** Shorter secrets may be common words, whose redaction would garble other text. */
const LENGTH_MIN = 6;
const REDACTED = '[redacted]';
/** Private keys of age are known by their form, wherever they were written by mistake. */
const AGE_KEY = /AGE-(?:SECRET-KEY|PLUGIN)-[A-Z0-9-]{20,}/gi;

export class Secrets {
  readonly #values = new Set<string>();

  add(value: string): void {
    if (value.length >= LENGTH_MIN) this.#values.add(value);
  }

  /** Returns `text` without any secret, plain or URL-encoded, and without private keys of age. */
  clean(text: string): string {
    let cleaned = text.replace(AGE_KEY, REDACTED);
    for (const value of this.#values) {
      for (const spelling of spellings(value)) cleaned = cleaned.replaceAll(spelling, REDACTED);
    }
    return cleaned;
  }
}

/** How many causes of an error are cleaned: a chain may be circular. */
const CAUSES_MAX = 10;

/** Removes the secrets from the messages of an error and of its causes: a vendor's SDK may quote them. */
export function cleanError(error: unknown, secrets: Secrets): void {
  let inner = error;
  for (let depth = 0; depth < CAUSES_MAX && inner instanceof Error; depth++) {
    for (const key of ['message', 'stack'] as const) {
      const text = inner[key];
      const cleaned = text === undefined ? undefined : secrets.clean(text);
      if (cleaned !== text) Reflect.set(inner, key, cleaned); // does nothing if it is frozen
    }
    inner = inner.cause;
  }
}

function spellings(value: string): Set<string> {
  return new Set([value, encodeURIComponent(value)]);
}

/** Removes user, password and query from a URL in `text`: they may contain secrets. */
export function bareURL(text: string): string {
  return text.replace(/\?.*$/s, '').replace(/:\/\/[^/@]*@/, '://');
}
