/** Folders with copies that are kept between drills: beside the scratch folder, one for each destination. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DrillSettings } from '../config/fields/drill.ts';

const PREFIX = 'sluice-drill-kept-';

export interface KeptPlace {
  readonly metaPath: string;
  readonly destination: { readonly name: string; readonly target: string };
  readonly settings: Pick<DrillSettings, 'scratch' | 'keptBytesMax'>;
}

export function keptFolderOf({ metaPath, destination, settings }: KeptPlace): string {
  const { name, target } = destination;
  return path.join(parentOf(settings), `${prefixOf(metaPath)}${hash(`${name}\n${target}`)}`);
}

/**
 * Removes copies of these databases that no drill will use: their destination is gone, or `keep` was turned off.
 * Only from folders that are still configured.
 */
export async function removeUnusedCopies(places: readonly KeptPlace[]): Promise<void> {
  const used = new Set(
    places
      .filter(({ settings }) => settings.keptBytesMax !== undefined)
      .map((place) => keptFolderOf(place)),
  );
  for (const { metaPath, settings } of places) {
    const parent = parentOf(settings);
    if (!fs.existsSync(parent)) continue; // the drill itself reports that
    const names = await fs.promises.readdir(parent);
    for (const name of names.filter((each) => each.startsWith(prefixOf(metaPath)))) {
      const folder = path.join(parent, name);
      if (!used.has(folder)) await fs.promises.rm(folder, { recursive: true, force: true });
    }
  }
}

/** A name that no other replicator of this machine uses at the same time. */
export function idOf(metaPath: string): string {
  return hash(metaPath);
}

function prefixOf(metaPath: string): string {
  return `${PREFIX}${idOf(metaPath)}-`;
}

function parentOf({ scratch = os.tmpdir() }: KeptPlace['settings']): string {
  return path.resolve(scratch);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
