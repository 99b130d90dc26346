/** Preloaded with `node --import`: simulates a full disk below a folder. */

import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const FOLDER = process.env['SLUICE_TEST_FOLDER'] ?? '';
const open = promises.open;

promises.open = async (path, ...given) => {
  const handle = await open(path, ...given);
  if (String(path).startsWith(FOLDER)) {
    // Node's own error.
    const full = { code: 'ENOSPC', errno: -28, syscall: 'write' };
    handle.write = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), full);
    };
  }
  return handle;
};
syncBuiltinESMExports();
