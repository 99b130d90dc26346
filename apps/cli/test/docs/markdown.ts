/** Helpers that build Markdown. */

import { refusalOf, type Fate, type KnownBy } from '../../src/surface/fate.ts';

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

export function reason(fate: Fate): string {
  switch (fate.kind) {
    case 'works':
      return '';
    case 'noted':
      return fate.note;
    case 'refused':
      return refusalOf(fate) + (fate.except === undefined ? '' : ` (${fate.except} passes)`);
  }
}

/** Joins paragraphs with empty lines. */
export function page(...parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
