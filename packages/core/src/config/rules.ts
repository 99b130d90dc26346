/**
 * Rules for combinations of keys: `z.strictObject({ … }).superRefine(...rules(exclusive('a', 'b')))`. They only
 * check which keys are given, so they run even if a value is invalid: all problems are reported at once.
 */

type Keys = Readonly<Record<string, unknown>>;

interface Context {
  addIssue(issue: { code: 'custom'; path: PropertyKey[]; message: string }): void;
}

/** Adds an issue for a key. */
export type AddIssue = (key: string, message: string) => void;
/** Checks keys that depend on each other, and reports problems with `issue`. */
export type Rule = (keys: Keys, issue: AddIssue) => void;

/** The arguments of `superRefine`. */
export function rules(
  ...all: readonly Rule[]
): [(keys: Keys, context: Context) => void, { readonly when: () => boolean }] {
  const apply = (keys: Keys, context: Context): void => {
    const add: AddIssue = (key, message) =>
      context.addIssue({ code: 'custom', path: [key], message });
    for (const rule of all) rule(keys, add);
  };
  return [apply, { when: () => true }];
}

/** At most one of these may be given. */
export function exclusive(...keys: readonly string[]): Rule {
  return (given, issue) => {
    const [first, second] = keys.filter((key) => isGiven(given, key));
    if (second !== undefined) issue(second, `cannot be given together with ${first}`);
  };
}

/** Either all or none of these must be given. */
export function together(...keys: readonly string[]): Rule {
  return (given, issue) => {
    const first = keys.find((key) => isGiven(given, key));
    if (first === undefined) return;
    for (const key of keys) if (!isGiven(given, key)) issue(key, `is missing beside ${first}`);
  };
}

/** `key` needs at least one of the others. */
export function requires(key: string, ...others: readonly string[]): Rule {
  return (given, issue) => {
    if (!isGiven(given, key) || others.some((other) => isGiven(given, other))) return;
    issue(key, `needs ${others.join(' or ')} beside it`);
  };
}

/** Whether the key is given, with a valid value or not. */
export function isGiven(keys: Keys, key: string): boolean {
  return key in keys;
}
