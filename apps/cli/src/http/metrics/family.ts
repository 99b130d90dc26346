/**
 * One metric: its name, its help, and how its value is read from a view (a database, a destination, …). The text is
 * written here rather than with prom-client, which needs two objects and a hash for each value: with 5,000 databases
 * that takes more than a second for each scrape (ADR 47).
 */

/** Labels in the text format, without braces: `code="X"`. */
export type Labels = string & { readonly __brand: 'Labels' };

/** A value, or one for each set of further labels. undefined: unknown, so it is not written. */
export type Reading = number | undefined | readonly (readonly [Labels, number])[];

export interface Family<View> {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Names of the labels of `Reading`. */
  readonly labels?: readonly string[] | undefined;
  readonly read: (view: View) => Reading;
}

/** Families with the same view, and the labels that identify a view. */
export interface FamilyGroup<View> {
  readonly title: string;
  readonly labels: readonly string[];
  readonly families: readonly Family<View>[];
}

export interface LabeledView<View> {
  /** The bytes of `Labels`. */
  readonly labels: Buffer;
  readonly view: View;
}

export function toLabels(pairs: Readonly<Record<string, string>>): Labels {
  const texts = Object.entries(pairs).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return texts.join(',') as Labels;
}

function escapeValue(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** A reading with one more label. */
export function byLabel(
  label: string,
  values: Readonly<Record<string, number>> | undefined,
): readonly (readonly [Labels, number])[] {
  return Object.entries(values ?? {}).map(([value, count]) => [
    toLabels({ [label]: value }),
    count,
  ]);
}

/** ISO 8601 to Unix time in seconds. */
export function toUnix(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1_000;
}

/** Exact up to 2^53, more than any TXID of ours reaches. */
export function toNumber(txid: string | undefined): number | undefined {
  return txid === undefined ? undefined : Number.parseInt(txid, 16);
}
