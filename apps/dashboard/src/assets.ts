/** The built page: index.html, and assets whose names contain a hash of their content. Compressed once. */

import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

/** vite.config.ts builds it here. */
const FOLDER = path.join(import.meta.dirname, 'page');
/** Running from src, as tests do. */
const BUILT_FOLDER = path.join(import.meta.dirname, '..', 'dist', 'page');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  readonly type: string;
  readonly plain: Buffer<ArrayBuffer>;
  readonly gzip: Buffer<ArrayBuffer>;
  /** Of the content. */
  readonly tag: string;
  readonly caching: string;
}

const gzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer<ArrayBuffer>>(zlib.gzip);

export class Assets {
  readonly #names: ReadonlyMap<string, string>;
  readonly #loaded = new Map<string, Promise<Asset>>();

  /** Fails if the page was not built. */
  constructor(folder: string = defaultFolder()) {
    const names = [
      'index.html',
      ...fs.readdirSync(path.join(folder, 'page')).map((name) => `page/${name}`),
    ];
    this.#names = new Map(names.map((name) => [name, path.join(folder, name)]));
  }

  /** undefined if there is none of that name. */
  async get(name: string): Promise<Asset | undefined> {
    const file = this.#names.get(name);
    if (file === undefined) return undefined;
    const loading = this.#loaded.get(name) ?? load(name, file);
    this.#loaded.set(name, loading);
    return await loading;
  }
}

function defaultFolder(): string {
  return fs.existsSync(path.join(FOLDER, 'index.html')) ? FOLDER : BUILT_FOLDER;
}

async function load(name: string, file: string): Promise<Asset> {
  const plain = await fs.promises.readFile(file);
  const { createHash } = await import('node:crypto');
  return {
    type: TYPES[path.extname(name)] ?? 'application/octet-stream',
    plain,
    gzip: await gzip(plain, { level: 9 }),
    tag: `"${createHash('sha256').update(plain).digest('hex').slice(0, 20)}"`,
    caching: name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable',
  };
}
