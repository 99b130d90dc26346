// The site of the documentation, in docs/.vitepress/dist:
//   node scripts/docs.mjs build     needs no network
//   node scripts/docs.mjs dev       serves the pages as they are now
//
// Its sources are made first, in docs/.vitepress/source: the pages of scripts/docs/pages.mjs, with links that fit their
// place on the site, and the API reference by typedoc. Every page is also there as Markdown, and llms.txt lists them.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { mendAnchors, writeAPISettings } from './docs/api.mjs';
import { checkSite } from './docs/check-site.mjs';
import { addMarkdown } from './docs/llms.mjs';
import { ROOT } from './docs/root.mjs';
import { stage } from './docs/stage.mjs';
import { setUp } from './set-up.mjs';

const FOLDER = path.join(ROOT, 'docs', '.vitepress');
const SOURCE = path.join(FOLDER, 'source');
const SITE = path.join(FOLDER, 'dist');

const [verb = 'build'] = process.argv.slice(2);
const { env } = setUp();
fs.rmSync(SOURCE, { recursive: true, force: true });
stage(SOURCE);
const settings = writeAPISettings(path.join(ROOT, '.cache', 'typedoc'), path.join(SOURCE, 'api'));
run('typedoc', ['--options', settings]);
mendAnchors(path.join(SOURCE, 'api'));
if (verb === 'dev') run('vitepress', ['dev', 'docs']);
else {
  run('vitepress', ['build', 'docs']);
  addMarkdown(SOURCE, SITE);
  const problems = checkSite(SITE);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  console.log(`the site is in ${path.relative(process.cwd(), SITE)}`);
}

function run(program, args) {
  const { status, error } = spawnSync('pnpm', ['exec', program, ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === 0) return;
  console.error(`${program} failed${error === undefined ? '' : `: ${error.message}`}`);
  process.exit(1);
}
