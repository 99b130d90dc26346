/**
 * Sizes as in Litestream's configuration: `10MB` is 10,000,000 and `10MiB` is 10,485,760. Letter case, spaces
 * before the unit, and commas in the number do not matter. A bare number is in bytes. `K` and `KB` are the same.
 */

const SIZE = /^(\d[\d,]*(?:\.\d+)?) *(?:([kmgtpe])(i?))?b?$/i;
const LETTERS = 'kmgtpe';

/** The size in whole bytes; undefined if the text is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const [, amount = '', letter = '', binary = ''] = match;
  const power = letter === '' ? 0 : LETTERS.indexOf(letter.toLowerCase()) + 1;
  const bytes = Math.floor(
    Number(amount.replaceAll(',', '')) * (binary === '' ? 1000 : 1024) ** power,
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** For messages: `1.5 MiB`, `20 B`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let power = 0;
  let amount = bytes;
  while (amount >= 1024 && power < units.length - 1) {
    amount /= 1024;
    power += 1;
  }
  return `${Number(amount.toFixed(amount < 10 && power > 0 ? 1 : 0))} ${units[power]}`;
}
