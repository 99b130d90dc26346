/**
 * A page as the steps that a reader follows. A step begins with its number and title in bold, such as `**1. Sluice.**`,
 * and has prose and code blocks.
 */

import fs from 'node:fs';

/** Languages of code blocks: commands, a part of a configuration, what is shown or received. */
const LANGUAGES = ['sh', 'yaml', 'text'] as const;
type Language = (typeof LANGUAGES)[number];

export interface Step {
  readonly title: string;
  /** Without its code blocks, and without the targets of its links. */
  readonly prose: string;
  /** Its code blocks of a language, in order. */
  readonly blocks: Readonly<Record<Language, readonly string[]>>;
}

export function readSteps(page: string): Step[] {
  const text = fs.readFileSync(page, 'utf8');
  return text
    .split(/^\*\*(?=\d+\. )/m)
    .slice(1)
    .map((part) => toStep(part));
}

const BLOCK = /^```(\w*)\n([^]*?)^```$/gm;

function toStep(text: string): Step {
  const [, title = ''] = /^\d+\. (.*?)\.\*\*/.exec(text) ?? [];
  const all = [...text.matchAll(BLOCK)];
  const unknown = all.find(([, language]) => !LANGUAGES.some((each) => each === language));
  if (unknown !== undefined) throw new Error(`a block of another language:\n${unknown[0]}`);
  const of = (language: Language): string[] =>
    all.filter(([, each]) => each === language).map(([, , block = '']) => block);
  return {
    title,
    prose: text.replace(BLOCK, '').replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1'),
    blocks: { sh: of('sh'), yaml: of('yaml'), text: of('text') },
  };
}
