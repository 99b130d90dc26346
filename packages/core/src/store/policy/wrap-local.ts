/** `openLocalFile` of a wrapper: there if and only if the wrapped client has it. */

import type { AbortableOptions, LTXFileRef, LocalFile, ReplicaClient } from '../client.ts';

export type OpenLocalFile = (file: LTXFileRef, options?: AbortableOptions) => Promise<LocalFile>;

export function wrapLocal(
  client: ReplicaClient,
  wrap: (open: OpenLocalFile) => OpenLocalFile,
): Pick<ReplicaClient, 'openLocalFile'> {
  if (client.openLocalFile === undefined) return {};
  return { openLocalFile: wrap(client.openLocalFile.bind(client)) };
}
