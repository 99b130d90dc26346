/** The optional method of a wrapper: there if and only if the wrapped client has it. */

import type { AbortableOptions, LTXFileInfo, LTXFileRef, ReplicaClient } from '../client.ts';

export type CopyFile = (
  from: LTXFileRef,
  to: LTXFileRef,
  options?: AbortableOptions,
) => Promise<LTXFileInfo>;

export function wrapCopy(
  client: ReplicaClient,
  wrap: (copy: CopyFile) => CopyFile,
): Pick<ReplicaClient, 'copyFile'> {
  if (client.copyFile === undefined) return {};
  return { copyFile: wrap(client.copyFile.bind(client)) };
}
