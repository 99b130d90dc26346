// The pages that the package `sluice` contains, for `sluice help PAGE`: those of docs/, without images and decisions.

import fs from 'node:fs';
import path from 'node:path';
import { relocate } from './relocate.mjs';
import { ROOT } from './root.mjs';

/** Writes the pages to a folder, with links that work there. Returns their names. */
export function packDocs(folder) {
  const pages = fs
    .readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => ({ file: `docs/${name}`, page: name }));
  fs.mkdirSync(folder, { recursive: true });
  for (const page of pages) {
    fs.writeFileSync(
      path.join(folder, page.page),
      relocate(page, pages, () => undefined),
    );
  }
  return pages.map(({ page }) => page);
}
