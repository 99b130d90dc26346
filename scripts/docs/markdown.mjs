// What the site, the packed pages and the tests need to know about Markdown: headings and their anchors, links. Pure.

import path from 'node:path';

const FENCE = /^( *)(```+|~~~+)/;
/** A link or an image, with its target. Targets with spaces do not occur. */
const LINK = /(!?\[(?:[^\]`]|`[^`]*`)*\])\(([^()\s]+(?:\([^()\s]*\))?)\)/g;
const HTML_COMMENT = /<!--[^]*?-->\n?/g;

/** Splits a text into lines, and says which of them are code. */
function linesOf(text) {
  let fence;
  return text.split('\n').map((line) => {
    const [, , mark] = FENCE.exec(line) ?? [];
    if (fence === undefined && mark !== undefined) {
      fence = mark;
      return { line, isCode: true };
    }
    const isCode = fence !== undefined;
    if (isCode && mark !== undefined && mark.startsWith(fence) && line.trim() === mark) {
      fence = undefined;
    }
    return { line, isCode };
  });
}

/** The anchor of a heading, as GitHub makes it. */
export function slugOf(heading) {
  return heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Headings with level, text and anchor. A repeated anchor gets a number, as at GitHub. */
export function headingsOf(text) {
  const seen = new Map();
  return linesOf(text).flatMap(({ line, isCode }, index) => {
    const [, marks, heading] = (!isCode && /^(#{1,6}) +(.*?) *#*$/.exec(line)) || [];
    if (heading === undefined) return [];
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return {
      level: marks.length,
      text: heading,
      anchor: count === 0 ? slug : `${slug}-${count}`,
      index,
    };
  });
}

/** The lines from a heading to the next one of its level or above; undefined without such a heading. */
export function sectionOf(text, anchor) {
  const headings = headingsOf(text);
  const at = headings.findIndex((heading) => heading.anchor === anchor);
  if (at < 0) return undefined;
  const { level, index } = headings[at];
  const next = headings.slice(at + 1).find((heading) => heading.level <= level);
  return `${text.split('\n').slice(index, next?.index).join('\n').trimEnd()}\n`;
}

/** The targets of links and images outside of code. */
export function linksOf(text) {
  const found = [];
  replaceLinks(text, (target) => {
    found.push(target);
    return target;
  });
  return found;
}

/** Replaces the targets of links and images outside of code. */
export function replaceLinks(text, replace) {
  const done = [];
  let paragraph = [];
  const end = () => {
    if (paragraph.length > 0) done.push(replaceInParagraph(paragraph.join('\n'), replace));
    paragraph = [];
  };
  for (const { line, isCode } of linesOf(text)) {
    if (isCode || line.trim() === '') {
      end();
      done.push(line);
    } else paragraph.push(line);
  }
  end();
  return done.join('\n');
}

/** A paragraph, because the label of a link may be longer than a line. */
function replaceInParagraph(paragraph, replace) {
  // Spans of code may contain brackets, and a label may contain spans of code.
  return paragraph.replaceAll(/(`+)[^`]*?\1|!?\[(?:[^\]`]|`[^`]*`)*\]\([^)]*\)+/g, (part) =>
    part.startsWith('`')
      ? part
      : part.replaceAll(LINK, (_, label, target) => `${label}(${replace(target)})`),
  );
}

/** Blocks of code of a language: their text and their line. */
export function blocksOf(text, language) {
  const blocks = [];
  let block;
  for (const [index, { line, isCode }] of linesOf(text).entries()) {
    if (!isCode) continue;
    if (block === undefined) {
      const [, indent, , info = ''] = /^( *)(```+|~~~+)(.*)$/.exec(line) ?? [];
      block = { info: info.trim(), indent: indent.length, line: index + 2, lines: [] };
    } else if (/^ *(```+|~~~+) *$/.test(line)) {
      if (block.info === language) blocks.push(block);
      block = undefined;
    } else block.lines.push(line.slice(block.indent));
  }
  return blocks.map(({ line, lines }) => ({ line, text: `${lines.join('\n')}\n` }));
}

export function withoutComments(text) {
  return text.replaceAll(HTML_COMMENT, '');
}

/** A relative target as a path in the repository and an anchor; undefined if it leads elsewhere. */
export function resolveTarget(file, target) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined;
  const [relative, anchor] = target.split('#');
  const to = relative === '' ? file : path.posix.join(path.posix.dirname(file), relative);
  return { file: to.replace(/\/$/, ''), anchor };
}
