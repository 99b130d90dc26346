/** Tools for backends that keep files in folders. Loads no native code. */

export { readFully, writeFully } from './file-io.ts';
export { FolderGuard, type FolderSteps, type PlaceOptions } from './store/folder/guard.ts';
export { findUnmounted } from './store/folder/mount-points.ts';
export {
  REPLACED_SUFFIX,
  isLeftover,
  LEFTOVER_AGE_MS,
  TEMP_SUFFIX,
  temporaryPath,
} from './store/folder/names.ts';
export type { FolderHandle } from './store/folder/reader.ts';
export { readSource } from './store/folder/source.ts';
export { runExclusively } from './store/folder/turns.ts';
export type { FolderEntry } from './store/folder/walk.ts';
export { PartReader } from './store/http/part-reader.ts';
