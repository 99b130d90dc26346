/** Server-side copies, which core does not use yet. */

import type { CallOptions, ObjectInfo } from '@sluice/core/backend';
import type { LTXFileRef, Replica } from '@sluice/core/backend/testing';

export async function copyFile(
  replica: Replica,
  from: LTXFileRef,
  to: LTXFileRef,
  { signal }: CallOptions = {},
): Promise<ObjectInfo> {
  const { client, root } = replica;
  if (client.copy === undefined) throw new Error(`${client.name} claims no copies`);
  return await client.copy(replica.keyOf(from), replica.keyOf(to), { signal, root });
}
