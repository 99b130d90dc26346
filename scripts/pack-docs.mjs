// Copies the pages of docs/ into the package of the current folder before it is packed, and with `--restore` removes them.

import fs from 'node:fs';
import path from 'node:path';
import { packDocs } from './docs/pack.mjs';

const folder = path.resolve('docs');
fs.rmSync(folder, { recursive: true, force: true });
if (!process.argv.includes('--restore')) packDocs(folder);
