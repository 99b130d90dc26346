/**
 * A chaos run by hand:
 *   node test/recovery/chaos.main.ts --for 60m [--seed N] [--staging 4MiB] [--planted forgetful] [--verbose]
 * --staging is staging-max-bytes. If it is small, a destination whose fault takes long gets a full snapshot.
 * --verbose prints each fault and each kill. Prints one line of JSON at the end. Exit code 0 if every promise
 * held. SLUICE_KEEP=1 keeps the folder, with the log of the replicator.
 */

import { parseArgs } from 'node:util';
import { parseDuration, parseBytes } from '@sluice/core/config';
import { seedOf } from '../../packages/core/test/support/random.ts';
import { chaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: '60m' },
    seed: { type: 'string' },
    staging: { type: 'string' },
    planted: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
const lengthMs = parseDuration(values.for);
if (lengthMs === undefined) throw new Error(`--for is a duration such as 60m, not ${values.for}`);
const { planted } = values;
if (planted !== undefined && planted !== 'forgetful') throw new Error('--planted is: forgetful');
const report = await chaos({
  seed: values.seed === undefined ? seedOf() : Number(values.seed),
  lengthMs,
  stagingBytesMax: values.staging === undefined ? undefined : parseBytes(values.staging),
  planted,
  onEvent: values.verbose === true ? (event) => console.log(event) : undefined,
});
console.log(JSON.stringify(report));
process.exitCode = report.broken.length === 0 ? 0 : 1;
