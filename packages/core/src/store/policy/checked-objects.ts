/** Named objects as every caller may rely on them: see checked.ts. */

import { assert, ReplicationError } from '../../error.ts';
import { guard, guardStream, unsupported, type CheckOptions } from './checked.ts';
import type { NamedObjectInfo, NamedObjects } from '../client.ts';
import { OBJECT_BYTES_MAX } from './conflict.ts';
import { checkObjectName } from '../layout.ts';
import { checkRange, openChecked } from './open-checked.ts';

export function checkedObjects(objects: NamedObjects, options: CheckOptions): NamedObjects {
  const { name } = options;
  return {
    async put(object, bytes, { condition, signal } = {}) {
      checkObjectName(object);
      const what = `write ${object} to ${name}`;
      if (bytes.byteLength > OBJECT_BYTES_MAX) {
        throw unsupported(what, `${bytes.byteLength} bytes, and the most is ${OBJECT_BYTES_MAX}`);
      }
      if (condition !== undefined && options.capabilities.ifAbsent === undefined) {
        throw unsupported(what, 'the destination knows no conditional writes');
      }
      return await guard(what, signal, options, (linked) =>
        objects.put(object, bytes, { condition, signal: linked }),
      );
    },

    async get(object, { range, signal } = {}) {
      checkObjectName(object);
      checkRange(range);
      const what = `open ${object} at ${name}`;
      return await openChecked((at) => objects.get(object, at), what, { range, signal }, options);
    },

    list(prefix, { from, signal } = {}) {
      assert(/^[a-z0-9._/-]*$/.test(prefix), `"${prefix}" begins names of objects`);
      const what = `list ${prefix}* at ${name}`;
      const open = (linked: AbortSignal): AsyncIterable<NamedObjectInfo> =>
        objects.list(prefix, { from, signal: linked });
      return inByteOrder(guardStream(what, signal, options, open), what, prefix, from);
    },

    async delete(object, { version, signal } = {}) {
      checkObjectName(object);
      const what = `delete ${object} at ${name}`;
      await guard(what, signal, options, (linked) =>
        objects.delete(object, { version, signal: linked }),
      );
    },
  };
}

async function* inByteOrder(
  entries: AsyncIterable<NamedObjectInfo>,
  what: string,
  prefix: string,
  from: string | undefined,
): AsyncGenerator<NamedObjectInfo, void, undefined> {
  let last: string | undefined;
  for await (const entry of entries) {
    if (from !== undefined && entry.name < from) continue;
    const isOurs = entry.name.startsWith(prefix);
    if (!isOurs || (last !== undefined && entry.name <= last)) {
      const how = isOurs ? `came after ${last}` : 'was not asked for';
      const message = `${what}: the listing is not to be trusted: ${entry.name} ${how}`;
      throw new ReplicationError('REPLICA_UNKNOWN', message);
    }
    last = entry.name;
    yield entry;
  }
}
