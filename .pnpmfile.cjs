// typedoc needs the JavaScript API of TypeScript, which version 7 does not have: it gets a TypeScript of its own.

const TYPESCRIPT_OF_TYPEDOC = '6.0.3';

module.exports = {
  hooks: {
    readPackage(manifest) {
      if (manifest.name !== 'typedoc') return manifest;
      const { typescript: _, ...peerDependencies } = manifest.peerDependencies;
      const dependencies = { ...manifest.dependencies, typescript: TYPESCRIPT_OF_TYPEDOC };
      return { ...manifest, peerDependencies, dependencies };
    },
  },
};
