/** The built-in types of destinations. */

/** The package of each type. */
export const OWN_PACKAGES: Readonly<Record<string, string>> = {
  file: '@sluice/file',
  s3: '@sluice/s3',
  gs: '@sluice/gcs',
  gcs: '@sluice/gcs', // name in Litestream 0.3
  abs: '@sluice/azure',
  sftp: '@sluice/sftp',
};

/** Without aliases. */
export const OWN_TYPES: readonly string[] = Object.keys(OWN_PACKAGES).filter(
  (type) => type !== 'gcs',
);

export function isOwnType(type: string): boolean {
  return Object.hasOwn(OWN_PACKAGES, type);
}
