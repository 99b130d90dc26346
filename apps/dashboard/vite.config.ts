/** Builds the page into dist/page: index.html, and assets whose names contain their hashes. */

import path from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: path.join(import.meta.dirname, 'page'),
  // The page works under any base path.
  base: './',
  // JSX of Preact needs no plugin.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: path.join(import.meta.dirname, 'dist', 'page'),
    emptyOutDir: true,
    target: 'es2022',
    // Inlined files would need a weaker content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    assetsDir: 'page',
  },
});
