/** Code blocks of a page that are files. The name of the file precedes the block. */

import fs from 'node:fs';

export interface CodeBlock {
  readonly file: string;
  readonly text: string;
}

export function codeBlocks(page: string): CodeBlock[] {
  const text = fs.readFileSync(page, 'utf8');
  const blocks = text.matchAll(/^`([\w./-]+)`\n\n```\w+\n(.*?)^```$/gms);
  return [...blocks].map(([, file = '', code = '']) => ({ file, text: code }));
}
