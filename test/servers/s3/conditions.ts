/** If-Match and If-None-Match, on reads and on writes. */

import type { IncomingHttpHeaders } from 'node:http';
import { S3Error } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { StoredObject } from './store.ts';

/** Checks the conditions of a GET or HEAD. */
export function checkRead(
  headers: IncomingHttpHeaders,
  object: StoredObject,
): 'send' | 'not-modified' {
  const match = headers['if-match'];
  if (match !== undefined && !names(match, object)) throw preconditionFailed('If-Match');
  const noneMatch = headers['if-none-match'];
  return noneMatch !== undefined && names(noneMatch, object) ? 'not-modified' : 'send';
}

/** Throws if the current object does not meet the conditions of a write. */
export function checkWrite(exchange: Exchange): void {
  const { headers } = exchange.request;
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match === undefined && noneMatch === undefined) return;
  const { quirks } = exchange.settings;
  if (quirks.ignoreConditions === true) return;
  if (quirks.refuseConditions === true) {
    throw new S3Error(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented.',
    );
  }
  const object = exchange.bucket.get(exchange.target.key);
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw new S3Error('NotImplemented', 'If-None-Match must be *.');
    if (object !== undefined) throw preconditionFailed('If-None-Match');
  }
  if (match !== undefined) {
    if (object === undefined) throw noSuchKey(exchange.target.key);
    if (!names(match, object)) throw preconditionFailed('If-Match');
  }
}

export function noSuchKey(key: string): S3Error {
  return new S3Error('NoSuchKey', 'The specified key does not exist.', { fields: { Key: key } });
}

/** Some clients send the ETag without its quotes. */
function names(condition: string, object: StoredObject): boolean {
  return condition === '*' || condition.replaceAll('"', '') === object.etag.replaceAll('"', '');
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    { fields: { Condition: condition } },
  );
}
