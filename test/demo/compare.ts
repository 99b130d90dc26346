/** Reads all orders of a database, and compares two results row by row. */

import Database from 'better-sqlite3';

export interface Row {
  readonly id: number;
  readonly customer: string;
  readonly amount: number;
  readonly note: string;
}

export function readRows(file: string): Row[] {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT id, customer, amount, note FROM orders ORDER BY id').all() as Row[];
  } finally {
    db.close();
  }
}

/**
 * 'equal': the same rows. 'up-to-the-kill': the same rows up to the last restored one; commits of the
 * application's last second may have been lost with the disk.
 */
export function compareRows(
  name: string,
  restored: readonly Row[],
  original: readonly Row[],
  mode: 'equal' | 'up-to-the-kill',
  print: (text: string) => void,
): boolean {
  const different = restored.findIndex((row, index) => !isSame(row, original[index]));
  const missing = original.length - restored.length;
  const passed =
    different < 0 && restored.length > 0 && (mode === 'equal' ? missing === 0 : missing >= 0);
  const rest = missing === 0 ? '' : `, the last ${missing} commits were lost with the disk`;
  print(`${name}: ${restored.length} rows ${passed ? 'equal' : 'DIFFER'}${rest}`);
  return passed;
}

function isSame(a: Row, b: Row | undefined): boolean {
  return (
    b !== undefined &&
    a.id === b.id &&
    a.customer === b.customer &&
    a.amount === b.amount &&
    a.note === b.note
  );
}
