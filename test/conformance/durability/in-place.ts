/** Faulty backend: writes directly to the final name. */

import { mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import { keyOf } from '@sluice/core/backend/testing';

import { changedFile } from './changed-file.ts';

export const backend = changedFile((_client, path) => ({
  async writeFile(file, body) {
    const key = keyOf('tree', path, file);
    mkdirSync(dirname(key), { recursive: true });
    const descriptor = openSync(key, 'w');
    for await (const chunk of body.open()) writeSync(descriptor, chunk);
    return { ...file, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
  },
}));
