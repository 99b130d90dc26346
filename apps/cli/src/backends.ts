/** The kinds of destination that are ours: the only place that knows which there are. */

/** Types by the package that has their backend. */
export const OWN_PACKAGES: Readonly<Record<string, string>> = {
  file: '@sluice/file',
  s3: '@sluice/s3',
  gs: '@sluice/gcs',
  gcs: '@sluice/gcs', // as Litestream 0.3 calls it
  abs: '@sluice/azure',
  sftp: '@sluice/sftp',
};

/** Without the other names of the same. */
export const OWN_TYPES: readonly string[] = Object.keys(OWN_PACKAGES).filter(
  (type) => type !== 'gcs',
);

export function isOwnType(type: string): boolean {
  return Object.hasOwn(OWN_PACKAGES, type);
}
