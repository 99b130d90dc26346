/** DeleteObjects: up to 1,000 keys, with one result per key. */

import { receiveDocument } from './body.ts';
import { isChecksumName } from './checksum.ts';
import { S3Error } from './errors.ts';
import { element, wrap, xmlAnswer, type Answer, type Exchange } from './exchange.ts';
import { elementsOf, textOf } from './xml.ts';

const KEYS_MAX = 1000;

export async function deleteObjects(exchange: Exchange): Promise<Answer> {
  const { bucket, protectedKeys, settings } = exchange;
  checkChecksum(exchange);
  const document = await receiveDocument(exchange);
  const keys = elementsOf(document, 'Object').map((object) => textOf(object, 'Key') ?? '');
  if (keys.length === 0 || keys.length > KEYS_MAX || keys.includes('')) {
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed.');
  }
  const isQuiet = textOf(document, 'Quiet') === 'true';
  let verdicts = '';
  for (const key of keys) {
    if (protectedKeys.has(key)) {
      const details = [element('Code', 'AccessDenied'), element('Message', 'Access Denied')];
      verdicts += wrap('Error', element('Key', key), ...details);
      continue;
    }
    if (settings.quirks.deleteObjectsLies !== true) bucket.delete(key);
    if (!isQuiet) verdicts += wrap('Deleted', element('Key', key));
  }
  return xmlAnswer('DeleteResult', verdicts);
}

/** S3 requires Content-MD5 or an x-amz-checksum-* header. */
function checkChecksum(exchange: Exchange): void {
  const { quirks } = exchange.settings;
  const { headers } = exchange.request;
  if (quirks.refuseDeleteObjects === true) {
    throw new S3Error('NotImplemented', 'DeleteObjects is not implemented.');
  }
  const hasMD5 = headers['content-md5'] !== undefined;
  if (quirks.refuseDeleteMD5 === true && hasMD5) {
    throw new S3Error('InvalidRequest', 'Content-MD5 is not supported for this request.');
  }
  if (quirks.requireDeleteMD5 === true && !hasMD5) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  if (quirks.refuseDeleteMD5 === true || quirks.refuseChecksumHeaders === true) return;
  if (!hasMD5 && !Object.keys(headers).some(isChecksumName)) {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    );
  }
}
