/** All cases of the kit. */

import type { Case } from './case.ts';
import { abortCases } from './cases/abort.ts';
import { capabilityCases } from './cases/capabilities.ts';
import { closeCases } from './cases/close.ts';
import { concurrencyCases } from './cases/concurrency.ts';
import { configurationCases } from './cases/configuration.ts';
import { copyCases } from './cases/copy.ts';
import { deleteCases } from './cases/delete.ts';
import { durabilityCases } from './cases/durability.ts';
import { errorCases } from './cases/errors.ts';
import { ifAbsentCases } from './cases/if-absent.ts';
import { leftoverCases } from './cases/leftovers.ts';
import { listCases } from './cases/list.ts';
import { localFileCases } from './cases/local-file.ts';
import { networkCases } from './cases/network.ts';
import { objectCases } from './cases/objects.ts';
import { openCases } from './cases/open.ts';
import { randomCases } from './cases/random.ts';
import { folderCases } from './cases/folders.ts';
import { writeCases } from './cases/write.ts';

export const CASES: readonly Case[] = [
  ...configurationCases,
  ...capabilityCases,
  ...listCases,
  ...openCases,
  ...localFileCases,
  ...writeCases,
  ...leftoverCases,
  ...ifAbsentCases,
  ...abortCases,
  ...deleteCases,
  ...copyCases,
  ...folderCases,
  ...concurrencyCases,
  ...errorCases,
  ...networkCases,
  ...closeCases,
  ...objectCases,
  ...durabilityCases,
  ...randomCases,
];
