import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { readBytes, type LocalFile } from '@sluice/core/backend';
import type { LTXFileRef } from '@sluice/core/backend/testing';

import { inFiles, type Saboteur } from './saboteur.ts';
import { type Files } from '../world.ts';

/** Adds local files to the memory client: temporary copies that are deleted when they are closed. */
export const LOCAL_SABOTEURS: readonly Saboteur[] = [
  inFiles(
    'reads the current file instead of the opened one',
    ['local-file/is-the-file'],
    (inner) => {
      let last: { readonly file: LTXFileRef; readonly name: string } | undefined;
      return {
        async openLocalFile(file) {
          const { local, name } = await copy(inner, file);
          last = { file, name };
          return local;
        },
        async writeFile(file, body, options) {
          const info = await inner.writeFile(file, body, options);
          if (last?.file.maxTXID === file.maxTXID) fs.writeFileSync(last.name, 'other bytes');
          return info;
        },
      };
    },
  ),
  inFiles('opens an empty file instead of a missing one', ['local-file/of-nothing'], (inner) => ({
    async openLocalFile(file) {
      return (await copy(inner, file).catch(() => writeCopy(new Uint8Array(0)))).local;
    },
  })),
];

interface Copy {
  readonly local: LocalFile;
  readonly name: string;
}

async function copy(inner: Files, file: LTXFileRef): Promise<Copy> {
  const { body } = await inner.openFile(file);
  return writeCopy(await readBytes(body, Number.MAX_SAFE_INTEGER));
}

function writeCopy(bytes: Uint8Array): Copy {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-local-'));
  const name = path.join(folder, 'file');
  fs.writeFileSync(name, bytes);
  const descriptor = fs.openSync(name, 'r');
  const close = async (): Promise<void> => {
    fs.closeSync(descriptor);
    fs.rmSync(folder, { recursive: true });
  };
  return { local: { sizeBytes: bytes.byteLength, descriptor, close }, name };
}
