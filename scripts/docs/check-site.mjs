// Checks the built site: every link and anchor leads somewhere, and nothing is loaded from another server.

import fs from 'node:fs';
import path from 'node:path';

const EXTERNAL = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/** Returns a line for each problem. */
export function checkSite(site) {
  const files = fs.readdirSync(site, { recursive: true, encoding: 'utf8' });
  const pages = files.filter((name) => name.endsWith('.html'));
  const ids = new Map(pages.map((page) => [page, idsIn(read(site, page))]));
  const problems = [];
  for (const page of pages) {
    const html = read(site, page);
    for (const [, target] of html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)) {
      if (EXTERNAL.test(target) || page === '404.html') continue;
      const problem = problemWith(page, decode(target), { site, ids });
      if (problem !== undefined) problems.push(`${page}: ${problem}`);
    }
    for (const url of loadedBy(html)) {
      if (EXTERNAL.test(url) && !url.startsWith('data:')) problems.push(`${page} loads ${url}`);
    }
  }
  for (const name of files.filter((each) => each.endsWith('.css'))) {
    for (const [, url] of read(site, name).matchAll(/url\(["']?([^"')]+)/g)) {
      if (EXTERNAL.test(url) && !url.startsWith('data:')) problems.push(`${name} loads ${url}`);
    }
  }
  for (const page of pages.filter((name) => name !== '404.html')) {
    if (!fs.existsSync(path.join(site, page.replace(/html$/, 'md')))) {
      problems.push(`${page} has no Markdown beside it`);
    }
  }
  return problems;
}

function problemWith(page, target, { site, ids }) {
  const [to, anchor] = target.split('#');
  const file = to === '' ? page : fileOf(page, to);
  if (!fs.existsSync(path.join(site, file))) return `the link ${target} leads nowhere`;
  if (anchor === undefined || anchor === '' || !file.endsWith('.html')) return undefined;
  return ids.get(file)?.has(anchor) === true ? undefined : `the anchor of ${target} does not exist`;
}

function fileOf(page, to) {
  const joined = path.posix.resolve('/', path.posix.dirname(page), to).slice(1);
  if (joined === '' || to.endsWith('/')) return path.posix.join(joined, 'index.html');
  return path.posix.extname(joined) === '' ? `${joined}.html` : joined;
}

function idsIn(html) {
  return new Set(Array.from(html.matchAll(/\sid="([^"]*)"/g), ([, id]) => decode(id)));
}

/** Addresses that a browser requests without a click. */
function loadedBy(html) {
  const loaded = /<(?:script|img|iframe|source)\b[^>]*?\ssrc="([^"]*)"/g;
  const linked = /<link\b[^>]*?\shref="([^"]*)"/g;
  return [...html.matchAll(loaded), ...html.matchAll(linked)].map(([, url]) => url);
}

function decode(text) {
  return decodeURIComponent(text.replaceAll('&amp;', '&').replaceAll('&#39;', "'"));
}

function read(site, name) {
  return fs.readFileSync(path.join(site, name), 'utf8');
}
