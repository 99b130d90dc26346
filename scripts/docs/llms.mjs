// For programs that read text: each page of the site also as Markdown, beside its HTML, and llms.txt with a list of them.

import fs from 'node:fs';
import path from 'node:path';
import { GROUPS } from './pages.mjs';

const SENTENCE_MAX = 200;

export function addMarkdown(source, site) {
  for (const page of pagesIn(source)) {
    fs.copyFileSync(path.join(source, page), path.join(site, page));
  }
  fs.writeFileSync(path.join(site, 'llms.txt'), llmsOf(source));
}

function pagesIn(folder) {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort();
}

/** llmstxt.org: a heading, a quote, and a list of links for each group. */
function llmsOf(source) {
  const summary = firstSentence(fs.readFileSync(path.join(source, 'index.md'), 'utf8'));
  const groups = GROUPS.map(({ title, pages }) => {
    const links = pages.map(({ page, title: name }) => {
      const about = firstSentence(fs.readFileSync(path.join(source, page), 'utf8'));
      return `- [${name}](${page})${about === '' ? '' : `: ${about}`}`;
    });
    return `## ${title}\n\n${links.join('\n')}\n`;
  });
  const optional =
    '## Optional\n\n- [API](api/index.md): the packages, by typedoc\n- [Decisions](decisions/index.md)\n';
  return `# Sluice\n\n> ${summary}\n\n${groups.join('\n')}\n${optional}`;
}

/** The first sentence of the first paragraph of prose, without links. */
function firstSentence(text) {
  const paragraphs = text.split(/\n\s*\n/).map((each) => each.replaceAll(/\s+/g, ' ').trim());
  const prose = paragraphs.find((each) => /^(?:[A-Za-z]|`[^`])/.test(each)) ?? '';
  const plain = prose.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1');
  const [sentence = ''] = /^.*?[.:?](?= |$)/.exec(plain) ?? [plain];
  return sentence.length > SENTENCE_MAX ? '' : sentence.replace(/:$/, '.');
}
