/** The version of this tool, and of what it runs on. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>> | undefined;
}

export async function readVersion(): Promise<string> {
  return (await readManifest()).version;
}

async function readManifest(): Promise<Manifest> {
  const manifest = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return JSON.parse(manifest) as Manifest;
}

/** What a report of a problem needs. */
export async function readDetails(): Promise<Readonly<Record<string, string>>> {
  const { sqliteVersion } = await import('@sluice/core');
  const { arch, platform, versions, execPath } = process;
  return {
    node: versions.node,
    sqlite: sqliteVersion(),
    platform: `${platform}-${arch}`,
    system: `${os.type()} ${os.release()}`,
    program: execPath,
    installed: fileURLToPath(new URL('..', import.meta.url)),
    ...(await versionsOfPackages()),
  };
}

/** Versions that are installed, of the packages of this tool. */
async function versionsOfPackages(): Promise<Record<string, string>> {
  const { dependencies = {} } = await readManifest();
  const require = createRequire(import.meta.url);
  const versions: Record<string, string> = {};
  for (const name of Object.keys(dependencies)) {
    const folders = require.resolve.paths(name) ?? [];
    for (const folder of folders) {
      try {
        const text = await readFile(path.join(folder, name, 'package.json'), 'utf8');
        versions[name] = (JSON.parse(text) as Manifest).version;
        break;
      } catch {
        // in another folder
      }
    }
  }
  return versions;
}
