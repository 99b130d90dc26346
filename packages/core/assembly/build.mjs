// Compiles the kernel to wasm/kernel.wasm. With --text its readable form, kernel.wat, comes as well.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const outputFolder = path.join(packageFolder, 'wasm');

/** Pages of 64 KiB that the layout in memory.ts needs; index.ts does not compile when it needs more. */
const MEMORY_PAGES = 38;
/** For a window of window.ts, which src/kernel/window-kernel.ts adds. */
const MEMORY_PAGES_MAX = 512;

const { error, stderr } = await asc.main(
  [
    'assembly/index.ts',
    ...['--baseDir', packageFolder],
    ...['--outFile', 'kernel.wasm'],
    ...(process.argv.includes('--text') ? ['--textFile', 'kernel.wat'] : []),
    ...['--runtime', 'stub'],
    ...['--enable', 'simd'],
    ...['--initialMemory', String(MEMORY_PAGES)],
    ...['--maximumMemory', String(MEMORY_PAGES_MAX)],
    ...['--optimizeLevel', '3', '--converge', '--noAssert'],
  ],
  { writeFile },
);
if (error) {
  process.stderr.write(`compile the kernel: ${error.message}\n${stderr.toString()}`);
  process.exitCode = 1;
}

/** Under its final name only when it is whole: another process may be loading it. */
function writeFile(name, contents) {
  fs.mkdirSync(outputFolder, { recursive: true });
  const target = path.join(outputFolder, name);
  const temporary = `${target}.${process.pid}.tmp`;
  fs.writeFileSync(temporary, contents);
  fs.renameSync(temporary, target);
}
