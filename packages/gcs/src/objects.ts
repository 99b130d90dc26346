/** Small things by name, beside the levels: one object each, its generation as version. */

import { KeyedObjects, type NamedObjects } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { deleteKey, listKeys } from './keys.ts';
import { openKey } from './reading.ts';
import { upload } from './upload.ts';

export function objectsOf(bucket: Bucket, root: string): NamedObjects {
  return new KeyedObjects(
    {
      name: bucket.name,
      put: (key, body, { condition, what, signal }) =>
        // What must be kept is in the body: no metadata.
        upload(bucket, {
          ...{ key, body, metadata: {}, what, signal },
          ifGenerationMatch:
            typeof condition === 'object' ? condition.version : generationOf(condition),
        }),
      open: (key, what, options) => openKey(bucket, key, what, options),
      list: ({ what, prefix, fromKey, signal }) =>
        listKeys(bucket, what, { prefix, startOffset: fromKey, signal }),
      delete: (key, { version, ...call }) =>
        deleteKey(bucket, key, { ...call, ifGenerationMatch: version }),
    },
    root,
  );
}

/** Generation 0 is that of an object that is not there. */
export function generationOf(condition: 'if-absent' | 'none' | undefined): string | undefined {
  return condition === 'if-absent' ? '0' : undefined;
}
