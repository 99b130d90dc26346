/** Staging is bounded: which destinations are given up to be re-seeded, and what is freed. Pure. */

export interface Holder {
  readonly name: string;
  /** It does not want staged files up to this TXID any more. */
  readonly releasable: bigint;
}

export interface BudgetInput {
  readonly files: readonly { readonly txid: bigint; readonly sizeBytes: number }[];
  readonly maxBytes: number;
  readonly holders: readonly Holder[];
}

export interface BudgetDecision {
  /** Files up to this TXID may go. */
  readonly releaseTo: bigint;
  /** Whoever still wanted one of those: they will be re-seeded by a snapshot. */
  readonly laggards: readonly string[];
}

/** Frees what nobody wants; beyond the budget, oldest first, also what only the slowest want. */
export function planRelease(input: BudgetInput): BudgetDecision {
  const wanted = input.holders.map((holder) => holder.releasable);
  let releaseTo = wanted.length === 0 ? 0n : wanted.reduce((a, b) => (b < a ? b : a));
  let kept = input.files
    .filter((file) => file.txid > releaseTo)
    .reduce((sum, file) => sum + file.sizeBytes, 0);
  const newest = input.files.at(-1);
  for (const file of input.files) {
    if (kept <= input.maxBytes || file === newest) break; // the newest one always stays
    if (file.txid <= releaseTo) continue;
    releaseTo = file.txid;
    kept -= file.sizeBytes;
  }
  const laggards = input.holders
    .filter((holder) => holder.releasable < releaseTo)
    .map((holder) => holder.name);
  return { releaseTo, laggards: wanted.length === 0 ? [] : laggards };
}
