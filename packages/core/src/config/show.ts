/** Values of a configuration in messages. A secret is never passed here. */

/** Longer texts are no number or duration that someone mistyped. */
const SHOWN_MAX = 60;

/** A number, a boolean or a short text as it is; else its kind. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value.length <= SHOWN_MAX ? `"${value}"` : 'a long text';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}
