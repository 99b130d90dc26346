/** Small things by name, beside the levels: one object each, its ETag as version. */

import { KeyedObjects, type NamedObjects, type PutOptions } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { deleteKey } from './deleting.ts';
import { listKeys } from './listing.ts';
import { openKey } from './opening.ts';
import type { Upload } from './source.ts';
import { upload } from './upload.ts';

export function objectsOf(bucket: Bucket, root: string): NamedObjects {
  return new KeyedObjects(
    {
      name: bucket.name,
      put: (key, body, { condition, what, signal }) =>
        // What must be kept is in the body: no metadata.
        upload(bucket, {
          ...{ key, body, metadata: {}, what, signal },
          condition: conditionOf(condition),
        }),
      open: (key, what, options) => openKey(bucket, key, what, options),
      list: ({ what, prefix, signal }) => listKeys(bucket, what, { prefix, signal }),
      delete: (key, call) => deleteKey(bucket, key, call),
    },
    root,
  );
}

function conditionOf(condition: PutOptions['condition']): Upload['condition'] {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.version };
}
