/** S3's error codes and their responses. */

import { element, xmlDocument } from './xml.ts';

/** Code -> HTTP status. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const STATUS = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  BadDigest: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidToken: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  TooManyRequests: 429,
  XAmzContentSHA256Mismatch: 400,
} as const;

export type S3Code = keyof typeof STATUS;

export class S3Error extends Error {
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    code: S3Code | { readonly code: string; readonly status: number },
    message: string,
    extra: { headers?: Record<string, string>; fields?: Record<string, string> } = {},
  ) {
    super(message);
    this.code = typeof code === 'string' ? code : code.code;
    this.status = typeof code === 'string' ? STATUS[code] : code.status;
    this.headers = extra.headers ?? {};
    this.fields = extra.fields ?? {};
  }

  toXML(resource: string): string {
    const fields = Object.entries(this.fields).map(([name, value]) => element(name, value));
    return xmlDocument(
      `<Error>${element('Code', this.code)}${element('Message', this.message)}` +
        `${element('Resource', resource)}${fields.join('')}</Error>`,
    );
  }
}

/** The client has disconnected, or a fault cut its connection: no response can be sent. */
export class ConnectionGone extends Error {}
