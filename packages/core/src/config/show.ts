/** Formats values of a configuration for messages. Do not pass a secret. */

/** Longer text is not a mistyped number or duration. */
const SHOWN_MAX = 60;

/** Shows a number, a boolean or a short text, and the type of any other value. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value.length <= SHOWN_MAX ? `"${value}"` : 'a long text';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}
