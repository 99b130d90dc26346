/** Helpers that build Markdown. */

import { refusalOf, type Support, type KnownBy } from '../../src/support.ts';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** The versions of Litestream that have it. */
export function knownBy(who: KnownBy): string {
  return { '0.5': '0.5', '0.3': '0.3', both: '0.3, 0.5', ours: '-' }[who];
}

export function reason(support: Support): string {
  switch (support.kind) {
    case 'works':
      return '';
    case 'noted':
      return support.note;
    case 'refused':
      return refusalOf(support);
  }
}

/** Joins paragraphs with empty lines. */
export function page(...parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
