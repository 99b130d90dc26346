// Compiles the kernel: assembly/index.ts -> wasm/kernel.wasm.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import asc from 'assemblyscript/asc';

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(folder);
mkdirSync('wasm', { recursive: true });
const { error, stderr } = await asc.main([
  'assembly/index.ts',
  '--outFile', 'wasm/kernel.wasm',
  '--runtime', 'stub',
  '--enable', 'simd,bulk-memory',
  '--optimizeLevel', '3',
  '--noAssert',
]);
if (error) {
  console.error(stderr.toString());
  process.exit(1);
}
