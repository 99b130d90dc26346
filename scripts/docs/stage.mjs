// Writes the sources of the site: pages with new links, and the images in them.

import fs from 'node:fs';
import path from 'node:path';
import { headingsOf } from './markdown.mjs';
import { DECISION_PAGES, PAGES } from './pages.mjs';
import { relocate } from './relocate.mjs';
import { ROOT } from './root.mjs';

/** Pages that the build makes. */
const API = { file: 'docs/api', page: 'api/index.md' };
const DECISIONS = { file: 'docs/decisions', page: 'decisions/index.md' };

export function stage(folder) {
  const pages = [...PAGES, API, DECISIONS];
  const write = (page, content) => {
    const file = path.join(folder, page);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  };
  const asset = (file) => {
    const place = `images/${path.posix.basename(file)}`;
    write(place, fs.readFileSync(path.join(ROOT, file)));
    return place;
  };
  for (const page of PAGES) write(page.page, relocate(page, pages, asset));
  write(DECISIONS.page, decisions());
}

function decisions() {
  const lines = DECISION_PAGES.map(({ file, page }) => {
    const [{ text }] = headingsOf(fs.readFileSync(path.join(ROOT, file), 'utf8'));
    return `- [${text}](./${path.posix.basename(page)})`;
  });
  return `# Decisions\n\nWhat was decided, why, and what was given up. A decision is not changed later, only superseded.\n\n${lines.join('\n')}\n`;
}
