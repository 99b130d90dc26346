// Sets up the repository on a machine that has only Node >= 18 and npm, then runs a command:
//   node scripts/bootstrap.mjs                 set up only
//   node scripts/bootstrap.mjs start           the demo
//   node scripts/bootstrap.mjs start -- …      the command line tool with these arguments
//   node scripts/bootstrap.mjs test …          the tests; arguments go to vitest
//   node scripts/bootstrap.mjs node            set up, then print the path of the Node in use
//
// This file uses only syntax that older versions of Node can parse, so that they print a readable error.

const NODE_MAJOR_MIN = 18;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  console.error(
    'This is Node ' +
      process.versions.node +
      '. Sluice needs Node >= ' +
      NODE_MAJOR_MIN +
      ' to set itself up (it then fetches the Node that it runs on): install a newer one, see nodejs.org.',
  );
  process.exit(1);
}

import('./verbs.mjs')
  .then((verbs) => verbs.main(process.argv.slice(2)))
  .catch((error) => {
    // A failed step has a readable message; other errors are bugs in these scripts.
    console.error(error.name === 'SetUpError' ? error.message : error);
    process.exit(1);
  });
