/**
 * A listing of all levels that has nothing is told only when nothing lies beside either: files of the
 * other layout, of Litestream 0.3. What is asked of a bare destination is one listing, and no more.
 */

import { again } from '../store/policy/again.ts';
import type { RetryPolicy } from '../store/policy/attempts.ts';
import type { Destination } from '../store/backend.ts';
import type { LTXFileInfo, ReplicaClient } from '../store/client.ts';
import { wrapCopy } from '../store/policy/wrap-copy.ts';
import { wrapLocal } from '../store/policy/wrap-local.ts';

/** `name` is the replica's, for messages. */
export function lookingBeside(
  client: ReplicaClient,
  look: NonNullable<Destination['lookBeside']> | undefined,
  path: string,
  { name, policy }: { readonly name: string; readonly policy: RetryPolicy },
): ReplicaClient {
  if (look === undefined) return client;
  return {
    async *listFiles(level, options = {}): AsyncGenerator<LTXFileInfo, void, undefined> {
      let isNothingThere = true;
      for await (const file of client.listFiles(level, options)) {
        isNothingThere = false;
        yield file;
      }
      if (!isNothingThere || level !== 'all' || options.from !== undefined) return;
      const what = `look beside ${name}`;
      await again(what, policy, options.signal, (signal) => look(path, { signal }));
    },
    openFile: (file, options) => client.openFile(file, options),
    writeFile: (file, body, options) => client.writeFile(file, body, options),
    deleteFiles: (files, options) => client.deleteFiles(files, options),
    ...wrapLocal(client, (open) => open),
    ...wrapCopy(client, (copy) => copy),
  };
}
