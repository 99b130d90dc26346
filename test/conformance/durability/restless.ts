/** Faulty backend: leaves a timer running after it is closed. */

import { changedFile } from './changed-file.ts';

export const backend = changedFile(
  () => ({}),
  async (destination) => {
    setInterval(() => undefined, 1_000);
    await destination.close();
  },
);
