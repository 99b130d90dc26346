/** Multipart uploads: create, upload part, complete, abort, and the two listings. */

import { receiveBody, receiveDocument } from './body.ts';
import { checkWrite } from './conditions.ts';
import { S3Error } from './errors.ts';
import { element, wrap, xmlAnswer, type Answer, type Exchange } from './exchange.ts';
import { checkKey, keptHeaders } from './objects.ts';
import { joinParts, type Body, type Upload } from './store.ts';
import { elementsOf, textOf } from './xml.ts';

export function createUpload(exchange: Exchange): Answer {
  const { bucket, target, settings } = exchange;
  checkKey(target.key);
  const headers = keptHeaders(exchange.request.headers);
  const upload = bucket.createUpload(target.key, headers, new Date(settings.now()));
  return xmlAnswer(
    'InitiateMultipartUploadResult',
    element('Bucket', bucket.name) + element('Key', target.key) + element('UploadId', upload.id),
  );
}

/** Number of running UploadPart requests, for providers that limit them. */
const partsUnderWay: WeakMap<object, number> = new WeakMap();

export async function uploadPart(exchange: Exchange): Promise<Answer> {
  const { settings, target } = exchange;
  const number = Number(target.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > settings.partsMax) {
    throw new S3Error(
      'InvalidArgument',
      `Part number must be an integer between 1 and ${settings.partsMax}, inclusive`,
    );
  }
  uploadOf(exchange); // refuse before receiving the body
  const underWay = (partsUnderWay.get(settings) ?? 0) + 1;
  if (underWay > (settings.quirks.partsAtOnceMax ?? Infinity)) {
    throw new S3Error('TooManyRequests', 'Reduce your concurrent part uploads.');
  }
  partsUnderWay.set(settings, underWay);
  try {
    const body = await receiveBody(exchange);
    uploadOf(exchange).parts.set(number, { ...body, modifiedAt: new Date(settings.now()) });
    return { status: 200, headers: { etag: `"${body.md5}"` } };
  } finally {
    partsUnderWay.set(settings, (partsUnderWay.get(settings) ?? 1) - 1);
  }
}

export async function completeUpload(exchange: Exchange): Promise<Answer> {
  const { bucket, target, settings } = exchange;
  uploadOf(exchange);
  checkWrite(exchange);
  const document = await receiveDocument(exchange);
  checkWrite(exchange);
  const upload = uploadOf(exchange);
  const parts = chosenParts(exchange, upload, document);
  const body = joinParts(parts);
  const modifiedAt = new Date(settings.now());
  bucket.set(target.key, { ...body, modifiedAt, headers: upload.headers });
  bucket.uploads.delete(upload.id);
  return xmlAnswer(
    'CompleteMultipartUploadResult',
    element('Bucket', bucket.name) + element('Key', target.key) + element('ETag', body.etag),
  );
}

function chosenParts(exchange: Exchange, upload: Upload, document: string): Body[] {
  const chosen = elementsOf(document, 'Part').map((part) => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
  }));
  if (chosen.length === 0) throw new S3Error('MalformedXML', 'No parts were given.');
  if (chosen.some(({ number }, index) => number <= (chosen[index - 1]?.number ?? 0))) {
    throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  const parts = chosen.map(({ number, etag }) => {
    const part = upload.parts.get(number);
    if (part?.md5 === etag) return part;
    throw new S3Error('InvalidPart', 'One or more of the specified parts could not be found.');
  });
  checkSizes(exchange, parts);
  return parts;
}

function checkSizes(exchange: Exchange, parts: readonly Body[]): void {
  const { partSizeMinBytes, quirks } = exchange.settings;
  const allButLast = parts.slice(0, -1);
  const [first] = parts;
  if (allButLast.some((part) => part.sizeBytes < partSizeMinBytes)) {
    throw new S3Error(
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
    );
  }
  if (quirks.equalPartSizes !== true || first === undefined) return;
  const isEqual = allButLast.every((part) => part.sizeBytes === first.sizeBytes);
  if (isEqual && (parts.at(-1)?.sizeBytes ?? 0) <= first.sizeBytes) return;
  throw new S3Error('InvalidPart', 'All non-trailing parts must have the same length.');
}

export function abortUpload(exchange: Exchange): Answer {
  const upload = uploadOf(exchange);
  exchange.bucket.uploads.delete(upload.id);
  return { status: 204 };
}

export function listParts(exchange: Exchange): Answer {
  const upload = uploadOf(exchange);
  const numbers = [...upload.parts.keys()].sort((a, b) => a - b);
  const parts = numbers.map((number) => {
    const part = upload.parts.get(number);
    return wrap(
      'Part',
      element('PartNumber', number),
      element('LastModified', part?.modifiedAt.toISOString() ?? ''),
      element('ETag', `"${part?.md5 ?? ''}"`),
      element('Size', part?.sizeBytes ?? 0),
    );
  });
  const head = [
    element('Bucket', exchange.bucket.name),
    element('Key', upload.key),
    element('UploadId', upload.id),
    element('IsTruncated', false),
  ];
  return xmlAnswer('ListPartsResult', [...head, ...parts].join(''));
}

/** Returns a single page. */
export function listUploads(exchange: Exchange): Answer {
  const prefix = exchange.target.query.get('prefix') ?? '';
  const uploads = [...exchange.bucket.uploads.values()].filter(({ key }) => key.startsWith(prefix));
  const listed = uploads.map((upload) =>
    wrap(
      'Upload',
      element('Key', upload.key),
      element('UploadId', upload.id),
      element('Initiated', upload.initiatedAt.toISOString()),
    ),
  );
  return xmlAnswer(
    'ListMultipartUploadsResult',
    element('Bucket', exchange.bucket.name) + element('IsTruncated', false) + listed.join(''),
  );
}

function uploadOf(exchange: Exchange): Upload {
  const { bucket, target } = exchange;
  return bucket.upload(target.query.get('uploadId') ?? '', target.key);
}
