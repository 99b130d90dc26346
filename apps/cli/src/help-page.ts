/**
 * sluice help PAGE, PAGE#SECTION or CODE: prints a page of the documentation, a section of it, or what an error code
 * means. A page may be written as in a message: docs/runbook.md. The package contains the pages; a checkout has them in
 * its own folder.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDERS = ['../docs/', '../../../docs/'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);
const ERROR_CODE = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;
const HEADING = /^(#{1,6}) +(.*)$/;

/** undefined if there is no such page or section. */
export function readTopic(topic: string): string | undefined {
  if (topic === 'pages') return listPages();
  const written = ERROR_CODE.test(topic) ? `errors#${topic.toLowerCase()}` : topic;
  const [, name, anchor] = /^(?:docs\/)?([a-z0-9-]+)(?:\.md)?(?:#(.+))?$/.exec(written) ?? [];
  if (name === undefined) return undefined;
  const file = FOLDERS.map((folder) => path.join(folder, `${name}.md`)).find(fs.existsSync);
  if (file === undefined) return undefined;
  const text = fs.readFileSync(file, 'utf8');
  return anchor === undefined ? text : sectionOf(text, anchor);
}

/** Names and titles. */
function listPages(): string | undefined {
  const folder = FOLDERS.find(fs.existsSync);
  if (folder === undefined) return undefined;
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.md'));
  const width = Math.max(...names.map((name) => name.length)) + 1;
  const lines = names.sort().map((name) => {
    const [, title = ''] = /^# (.+)$/m.exec(fs.readFileSync(path.join(folder, name), 'utf8')) ?? [];
    return `  ${name.replace(/\.md$/, '').padEnd(width)}${title}\n`;
  });
  return `pages, in ${folder}:\n\n${lines.join('')}`;
}

/** A heading with this anchor, and what is below it. */
function sectionOf(text: string, anchor: string): string | undefined {
  const lines: string[] = [];
  let level = 0;
  let isCode = false;
  for (const line of text.split('\n')) {
    if (/^ *```/.test(line)) isCode = !isCode;
    const [, marks = '', heading = ''] = (!isCode && HEADING.exec(line)) || [];
    if (level === 0) {
      if (marks === '' || anchorOf(heading) !== anchor) continue;
      level = marks.length;
    } else if (marks !== '' && marks.length <= level) break;
    lines.push(line);
  }
  return level === 0 ? undefined : `${lines.join('\n').trimEnd()}\n`;
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}
