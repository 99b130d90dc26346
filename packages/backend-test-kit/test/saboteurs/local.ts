import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { readBytes, type LocalFile } from '@sluice/core/backend';
import type { LTXFileRef } from '@sluice/core/backend/testing';

import { inFiles, type Saboteur } from './saboteur.ts';
import { type Files } from '../world.ts';

/** Local files of a inner that has none: copies in a folder of the system's, gone when they are closed. */
export const LOCAL_SABOTEURS: readonly Saboteur[] = [
  inFiles('reads what has the name now', ['local-file/is-the-file'], (inner) => {
    let last: { readonly file: LTXFileRef; readonly name: string } | undefined;
    return {
      async openLocalFile(file) {
        const { local, name } = await copied(inner, file);
        last = { file, name };
        return local;
      },
      async writeFile(file, body, options) {
        const info = await inner.writeFile(file, body, options);
        if (last?.file.maxTXID === file.maxTXID) fs.writeFileSync(last.name, 'other bytes');
        return info;
      },
    };
  }),
  inFiles('gives an empty file for one that is not there', ['local-file/of-nothing'], (inner) => ({
    async openLocalFile(file) {
      return (await copied(inner, file).catch(() => inFolder(new Uint8Array(0)))).local;
    },
  })),
];

interface Copy {
  readonly local: LocalFile;
  readonly name: string;
}

async function copied(inner: Files, file: LTXFileRef): Promise<Copy> {
  const { body } = await inner.openFile(file);
  return inFolder(await readBytes(body, Number.MAX_SAFE_INTEGER));
}

function inFolder(bytes: Uint8Array): Copy {
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
