/** Options of the S3 test server, and its quirks. */

import { Link } from './link.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** If set, requests must have this token (InvalidToken) and it must not be expired (ExpiredToken). */
  readonly sessionToken?: string | undefined;
  readonly expiresAt?: Date | undefined;
  /** Operations that return AccessDenied for these credentials. */
  readonly denied?: readonly Operation[] | undefined;
}

export type Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'GetBucketLocation'
  | 'GetObject'
  | 'HeadBucket'
  | 'HeadObject'
  | 'ListMultipartUploads'
  | 'ListObjectsV2'
  | 'ListParts'
  | 'PutObject'
  | 'UploadPart'
  | 'Unknown';

/** Ways in which providers differ from AWS. All off at the start; may be changed at any time. */
export interface Quirks {
  /** An aws-chunked body is 411 MissingContentLength (Ceph RGW and others). */
  refuseTrailers?: boolean;
  /** Any x-amz-checksum-* header is 400 InvalidArgument (Backblaze B2). */
  refuseChecksumHeaders?: boolean;
  /** DeleteObjects without Content-MD5 is 400 InvalidRequest (Oracle Cloud). */
  requireDeleteMD5?: boolean;
  /** DeleteObjects with Content-MD5 is 400 InvalidRequest. */
  refuseDeleteMD5?: boolean;
  /** DeleteObjects is 501 NotImplemented: objects are deleted one by one. */
  refuseDeleteObjects?: boolean;
  /** DeleteObjects reports success without deleting anything (seen at R2). */
  deleteObjectsLies?: boolean;
  /** UNSIGNED-PAYLOAD is 403 AccessDenied (Hetzner). */
  refuseUnsignedPayload?: boolean;
  /** Conditions on writes are ignored (Garage). */
  ignoreConditions?: boolean;
  /** Conditions on writes are 501 NotImplemented (Alibaba OSS). */
  refuseConditions?: boolean;
  /** All parts but the last must be of one size, else InvalidPart (Cloudflare R2). */
  equalPartSizes?: boolean;
  /** More parallel UploadPart requests than this are 429 (Cloudflare R2: 2 to 3). */
  partsAtOnceMax?: number;
}

export interface StartOptions {
  /** Default 0: a free port. */
  readonly port?: number | undefined;
  /** Existing buckets. Default: ['sluice-test']. The first one is `bucket` of the result of start(). */
  readonly buckets?: readonly string[] | undefined;
  /** Default: one pair without restrictions. The first one is `credentials` of the result of start(). */
  readonly credentials?: readonly Credentials[] | undefined;
  /** Default 'us-east-1'. Another region in a signature is AuthorizationHeaderMalformed. */
  readonly region?: string | undefined;
  /** `bucket.<domain>` in Host is virtual host style. Default 'localhost'. */
  readonly domain?: string | undefined;
  /** Maximum number of keys per page of a listing. Default 1000, as at AWS. */
  readonly pageSizeMax?: number | undefined;
  /** Minimum size of all parts but the last. Default 5 MiB, as at AWS. */
  readonly partSizeMinBytes?: number | undefined;
  /** Highest part number. Default 10,000, as at AWS; Scaleway allows 1,000. */
  readonly partsMax?: number | undefined;
  /** The server's clock, in ms. Default Date.now. */
  readonly now?: (() => number) | undefined;
  /** Each request waits so long before it is answered, as over a network. Default 0. */
  readonly roundTripMs?: number | undefined;
  /** What all answers together may send. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
  readonly quirks?: Quirks | undefined;
}

export interface Settings {
  readonly credentials: readonly Credentials[];
  readonly region: string;
  readonly domain: string;
  readonly pageSizeMax: number;
  readonly partSizeMinBytes: number;
  readonly partsMax: number;
  readonly now: () => number;
  readonly roundTripMs: number;
  readonly link: Link | undefined;
  readonly quirks: Quirks;
}

const DEFAULT_CREDENTIALS: Credentials = {
  accessKeyId: 'sluicetest',
  secretAccessKey: 'sluicetestsecret',
};

export function settingsOf(options: StartOptions): Settings {
  return {
    credentials: options.credentials ?? [DEFAULT_CREDENTIALS],
    region: options.region ?? 'us-east-1',
    domain: options.domain ?? 'localhost',
    pageSizeMax: options.pageSizeMax ?? 1000,
    partSizeMinBytes: options.partSizeMinBytes ?? 5 * 1024 * 1024,
    partsMax: options.partsMax ?? 10_000,
    now: options.now ?? Date.now,
    roundTripMs: options.roundTripMs ?? 0,
    link: options.bytesPerSecond === undefined ? undefined : new Link(options.bytesPerSecond),
    quirks: { ...options.quirks },
  };
}
