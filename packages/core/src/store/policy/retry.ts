/**
 * A client that tries again: whole calls, listings from where they broke off, and streams from the
 * byte where they stopped. Only what `planRetry` says is worth it; each retry is told to `onRetry`.
 *
 * An aborted call is refused before its first attempt: with no signal left to stop it, a backend
 * might do the work all the same, and the caller would take a file for absent that is there.
 */

import { again, audibly } from './again.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import type {
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  NamedObjects,
  ReplicaClient,
  WriteOptions,
} from '../client.ts';
import { describeFile, describeRange } from '../../replica/describe.ts';
import { listResumable } from './relist.ts';
import { openResumable } from './resume.ts';
import { WatchedBody } from './watched-body.ts';
import { wrapCopy } from './wrap-copy.ts';
import { wrapLocal } from './wrap-local.ts';

/** `name` is the replica's, for messages: "s3://bucket/db". */
export function retry(client: ReplicaClient, name: string, policy: RetryPolicy): ReplicaClient {
  return {
    listFiles(level, options = {}) {
      const what = `list level ${level} at ${name}`;
      return listResumable<LTXFileInfo>(what, policy, options.signal, {
        open(last, signal) {
          // Across levels, the TXID of one says nothing about the others.
          const from = level === 'all' ? options.from : (last?.minTXID ?? options.from);
          return client.listFiles(level, { from, signal });
        },
        isAfter: isAfterWithin,
        place: (file) => file.level,
      });
    },

    async openFile(file, options = {}) {
      const what = `open ${describeFile(file)}${describeRange(options.range)} at ${name}`;
      return await openResumable((at) => client.openFile(file, at), what, options, policy);
    },

    async writeFile(file, body, options = {}) {
      return await writeAgain(client, file, body, options, name, policy);
    },

    async deleteFiles(files, options = {}) {
      const what = `delete ${files.length} files at ${name}`;
      await again(what, policy, options.signal, (signal) => client.deleteFiles(files, { signal }));
    },

    ...wrapLocal(client, (open) => async (file, { signal } = {}) => {
      const what = `open ${describeFile(file)} at ${name}`;
      return await again(what, policy, signal, (linked) => open(file, { signal: linked }));
    }),

    ...wrapCopy(client, (copy) => async (from, to, { signal } = {}) => {
      const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${name}`;
      return await again(what, policy, signal, (linked) => copy(from, to, { signal: linked }));
    }),
  };
}

/** A write whose source fails is over: another attempt would read the same source. */
async function writeAgain(
  client: ReplicaClient,
  file: LTXFileRef,
  body: LTXBody,
  options: WriteOptions,
  name: string,
  policy: RetryPolicy,
): Promise<LTXFileInfo> {
  const what = `write ${describeFile(file)} to ${name}`;
  const attempts = new Attempts(policy, what, options.signal);
  for (;;) {
    let watched: WatchedBody | undefined;
    try {
      return await audibly(what, policy, options.signal, async (signal, heard) => {
        watched = new WatchedBody(body, what, heard);
        return await client.writeFile(file, watched, { ...options, signal });
      });
    } catch (error) {
      if (watched?.failure !== undefined) throw watched.failure.error;
      await attempts.afterFailure(error);
    }
  }
}

function isAfterWithin(file: LTXFileRef, last: LTXFileRef): boolean {
  if (file.minTXID !== last.minTXID) return file.minTXID > last.minTXID;
  return file.maxTXID > last.maxTXID;
}

/** Named objects, tried again in the same way. */
export function retryObjects(
  objects: NamedObjects,
  name: string,
  policy: RetryPolicy,
): NamedObjects {
  return {
    async put(object, bytes, options = {}) {
      const what = `write ${object} to ${name}`;
      return await again(what, policy, options.signal, (signal) =>
        objects.put(object, bytes, { ...options, signal }),
      );
    },

    async get(object, options = {}) {
      const what = `open ${object}${describeRange(options.range)} at ${name}`;
      // A version cannot be asked for here: what comes is compared with what came before.
      return await openResumable(
        ({ range, signal }) => objects.get(object, { range, signal }),
        what,
        options,
        policy,
      );
    },

    list(prefix, options = {}) {
      const what = `list ${prefix}* at ${name}`;
      return listResumable(what, policy, options.signal, {
        open: (last, signal) => objects.list(prefix, { from: last?.name ?? options.from, signal }),
        isAfter: (object, last) => object.name > last.name,
        place: () => 0,
      });
    },

    async delete(object, options = {}) {
      const what = `delete ${object} at ${name}`;
      await again(what, policy, options.signal, (signal) =>
        objects.delete(object, { ...options, signal }),
      );
    },
  };
}
