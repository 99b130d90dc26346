/** Small things by name, beside the levels: one blob each, its ETag as version. */

import { KeyedObjects, type NamedObjects, type PutOptions } from '@sluice/core/backend';
import { deleteBlob, listBlobs, openBlob } from './blobs.ts';
import type { Place } from './place.ts';
import { upload, type Upload } from './upload.ts';

export function objectsOf(place: Place, root: string): NamedObjects {
  return new KeyedObjects(
    {
      name: place.name,
      put: (key, body, { condition, what, signal }) =>
        // What must be kept is in the body: no metadata. It is small and read often: no tier.
        upload(place, {
          ...{ key, body, metadata: {}, tier: undefined, what, signal },
          conditions: conditionsOf(condition),
        }),
      open: (key, what, options) => openBlob(place, key, what, options),
      list: ({ what, prefix, signal }) => listBlobs(place, what, { prefix, signal }),
      delete: (key, call) => deleteBlob(place, key, call),
    },
    root,
  );
}

function conditionsOf(condition: PutOptions['condition']): Upload['conditions'] {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { ifNoneMatch: '*' } : { ifMatch: condition.version };
}
