// Gives a page another place: its links lead to the new places of other pages, and to the repository for all other files.

import fs from 'node:fs';
import path from 'node:path';
import { replaceLinks, resolveTarget, withoutComments } from './markdown.mjs';
import { ROOT } from './root.mjs';

const REPOSITORY = 'https://github.com/sluice/sluice';
const ASSET = /\.(?:png|svg)$/;

/**
 * The text of `page.file` at `page.page`. `pages`: files of the repository with their new places. `asset`: called with the
 * path of an image; returns its new place, or undefined if it stays where it is.
 */
export function relocate(page, pages, asset) {
  const places = new Map(pages.map((each) => [each.file, each.page]));
  const text = fs.readFileSync(path.join(ROOT, page.file), 'utf8');
  return withoutComments(
    replaceLinks(text, (target) => {
      const to = resolveTarget(page.file, target);
      if (to === undefined) return target;
      const place = places.get(to.file) ?? (ASSET.test(to.file) ? asset(to.file) : undefined);
      const anchor = to.anchor === undefined ? '' : `#${to.anchor}`;
      if (place === undefined) return `${urlOf(to.file, page.file)}${anchor}`;
      if (place === page.page) return anchor === '' ? path.posix.basename(place) : anchor;
      const relative = path.posix.relative(path.posix.dirname(page.page), place);
      return `${relative.startsWith('.') ? '' : './'}${relative}${anchor}`;
    }),
  );
}

/** The address of a file or folder in the repository. */
function urlOf(file, page) {
  const found = fs.statSync(path.join(ROOT, file), { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`${page} links to ${file}, which does not exist`);
  return `${REPOSITORY}/${found.isDirectory() ? 'tree' : 'blob'}/main/${file}`;
}
