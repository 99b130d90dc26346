/** Damages the staging folder between a kill and the next start. */

import fs from 'node:fs';
import path from 'node:path';
import type { Random } from '../../../../packages/core/test/support/random.ts';
import type { Setup } from '../setup.ts';
import type { Actor } from './actor.ts';

export const damagedStaging: Actor = {
  when: 'stopped',
  allowedErrors: ['LTX_TRUNCATED', 'LTX_INVALID', 'LTX_CHECKSUM_MISMATCH', 'STAGING_FAILED'],
  act: async (setup) => {
    const { random, application } = setup;
    if (random.chance(0.5)) await application.kill();
    const damage = random.pick(Object.keys(DAMAGES) as (keyof typeof DAMAGES)[]);
    setup.story.push(damage);
    DAMAGES[damage](setup);
    setup.startReplicator();
    await application.start(random.int(0, 2 ** 31));
    return await setup.waitUntilReplicated();
  },
};

type Damage = (setup: Setup) => void;

const DAMAGES = {
  'folder lost': ({ staging }) => fs.rmSync(staging, { recursive: true, force: true }),
  'files lost': ({ staging }) =>
    fs.rmSync(path.join(staging, 'ltx'), { recursive: true, force: true }),
  'position lost': ({ staging }) => fs.rmSync(path.join(staging, 'position'), { force: true }),
  'records lost': ({ staging }) =>
    fs.rmSync(path.join(staging, 'destinations.json'), { force: true }),
  'position damaged': ({ staging, random }) => damageFile(path.join(staging, 'position'), random),
  'records damaged': ({ staging, random }) =>
    damageFile(path.join(staging, 'destinations.json'), random),
  'staged file damaged': ({ staging, random }) => damageFile(pickStaged(staging, random), random),
  'staged file lost': ({ staging, random }) => {
    const file = pickStaged(staging, random);
    if (file !== undefined) fs.rmSync(file);
  },
  'an older copy': ({ copies, staging }) => {
    if (!copies.putBack(staging)) fs.rmSync(staging, { recursive: true, force: true });
  },
} as const satisfies Record<string, Damage>;

/** A staged file of level 0; the newest one in half of the cases. */
function pickStaged(staging: string, random: Random): string | undefined {
  const folder = path.join(staging, 'ltx', '0');
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
  const name = random.chance(0.5) ? names.at(-1) : names[random.int(0, names.length - 1)];
  return name === undefined ? undefined : path.join(folder, name);
}

/** Truncates the file, empties it, or flips one bit. */
function damageFile(file: string | undefined, random: Random): void {
  if (file === undefined || !fs.existsSync(file)) return;
  const bytes = fs.readFileSync(file);
  if (bytes.length === 0) return;
  const at = random.int(0, bytes.length - 1);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << random.int(0, 7)), at);
  fs.writeFileSync(file, random.pick([bytes.subarray(0, at), Buffer.alloc(0), flipped]));
}
