/**
 * Three destinations lose 60 % of their objects each, or have them damaged. As long as each file survives at one of
 * them, every state is restored byte for byte. More seeds:
 * `SLUICE_SHREDDED_SEEDS=1000 pnpm vitest run --project=unit packages/core/test/restore/across/shredded.test.ts`
 */

import { expect, test } from 'vitest';
import { floorOf } from '../../../src/history/chain.ts';
import { ListedHeaders, listAll, type RestoreTarget } from '../../../src/restore/plan/listing.ts';
import { unite, type Member } from '../../../src/restore/across/unite.ts';
import { randomFrom } from '../../support/random.ts';
import { timeOf } from '../files.ts';
import { newSetting } from '../setting.ts';
import { shred, type Place } from './shredded.ts';

const SEEDS = Number(process.env['SLUICE_SHREDDED_SEEDS'] ?? 20);
const FIRST_SEED = Number(process.env['SLUICE_SEED'] ?? 1);
const signal = new AbortController().signal;

async function toMember({ name, replica }: Place, index: number): Promise<Member> {
  return {
    name,
    client: replica,
    capabilities: replica.capabilities,
    listed: await listAll(replica, signal),
    headers: new ListedHeaders(replica),
    listedInMs: [2, 30, 90][index],
  };
}

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'each state survives the loss of most objects: seed %i',
  async (seed) => {
    const { history, places, states } = await shred(seed);
    const random = randomFrom(seed + 1_000_000);
    const newest = states.at(-1) ?? 0n;
    const picked = random.pick(states);
    const at = timeOf(random.int(Number(states[0]), history.last + 1));
    const asOf = floorOf(states, (BigInt(at.getTime()) - BigInt(timeOf(0).getTime())) / 10_000n);
    const targets: readonly (readonly [RestoreTarget, bigint | undefined])[] = [
      [{ kind: 'latest' }, newest],
      [{ kind: 'txid', txid: picked }, picked],
      [{ kind: 'timestamp', at }, asOf],
    ];
    for (const [target, txid] of targets) {
      const united = await unite(await Promise.all(places.map(toMember)), target, signal);
      if (united.kind !== 'united') throw united.error ?? new Error('the destinations are apart');
      const setting = newSetting();
      const { sources } = united;
      const report = await setting.run({
        client: places[0]?.replica as Place['replica'],
        sources,
        target,
      });
      expect([target.kind, BigInt(`0x${report.txid}`)]).toEqual([target.kind, txid]);
      expect(setting.bytes()).toEqual(history.bytes(Number(txid)));
    }
  },
);
