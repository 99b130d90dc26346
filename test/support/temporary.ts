/** Creates a temporary folder that is deleted when the test ends. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

export function temporaryFolder(name: string): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `sluice-${name}-`));
  // A process that was killed may have a child that still writes there for a moment.
  const options = { recursive: true, force: true, maxRetries: 20, retryDelay: 250 };
  onTestFinished(() => fs.rmSync(folder, options));
  return folder;
}
