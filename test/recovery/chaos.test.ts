/**
 * A chaos run of some 40 s; hours with `node test/recovery/chaos.main.ts --for 60m`. It must also find a
 * backend that confirms writes that it did not make.
 */

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { randomFrom, seedOf } from '../../packages/core/test/support/random.ts';
import { startToxiproxy } from '../servers/toxiproxy.ts';
import { describeInCI, describeWith } from '../support/require.ts';
import { chaos } from './chaos.ts';
import { exceeded, RESIDENT_BYTES_MAX, STAGING_BYTES_MAX, writesMax } from './chaos/limits.ts';
import { begin, end } from './chaos/network.ts';
import { FAULT_KINDS, FAULTY_MAX, faultyMs, scheduleOf } from './chaos/schedule.ts';
import { SERVER_TOOLS } from './chaos/servers.ts';

const LENGTH_MS = 40_000;
const PLANTED_LENGTH_MS = 30_000;
const HOUR_MS = 3_600_000;
/** The run, its catch-up, and the restores, on a busy machine. */
const TIMEOUT_MS = 600_000;

describeInCI(SERVER_TOOLS, 'three destinations, faults and kills', () => {
  test(
    'each destination restores alone to the last row, repair finds no damage, and all limits hold',
    async () => {
      const seed = seedOf();
      console.log(`SLUICE_SEED=${seed}`);
      const report = await chaos({ seed, lengthMs: LENGTH_MS });
      console.log(JSON.stringify(report));
      expect(report.broken).toEqual([]);
      expect(report.kills).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  // A forgotten file does not matter once a merged file has replaced it.
  test(
    'a destination that confirms writes that it did not make is found',
    { retry: 2, timeout: TIMEOUT_MS },
    async () => {
      const report = await chaos({
        seed: seedOf(),
        lengthMs: PLANTED_LENGTH_MS,
        planted: 'forgetful',
      });
      console.log(JSON.stringify(report));
      expect(report.broken.join('\n')).toMatch(/\bs3\b/);
    },
  );
});

/** Less than any fault of this strength delays an echo of ECHO_BYTES. */
const DELAY_MS_MIN = 60;
const ECHO_BYTES = 60_000;

/** Sends bytes through a port, and resolves when all have come back. Rejects if the connection ends before. */
async function echo(port: number, signal?: AbortSignal): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  signal?.addEventListener('abort', () => socket.destroy());
  socket.write(Buffer.alloc(ECHO_BYTES));
  let left = ECHO_BYTES;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    left -= chunk.length;
    if (left === 0) return;
  }
  throw new Error(`${left} bytes did not come back`);
}

describeWith(['toxiproxy'], 'a fault', () => {
  test.each(FAULT_KINDS)('%s: disturbs a connection until it ends', async (kind) => {
    const server = net.createServer((socket) => void socket.on('error', () => {}).pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const toxiproxy = await startToxiproxy();
    onTestFinished(() => toxiproxy.stop());
    const proxy = await toxiproxy.proxyTo((server.address() as AddressInfo).port);
    const fault = {
      ...{ kind, destination: 0, fromMs: 0, untilMs: 1 },
      ...({ strength: 0.5, stream: 'upstream' } as const),
    };
    await begin(proxy, fault);
    const beganAt = performance.now();
    const outcome = await echo(proxy.port, AbortSignal.timeout(DELAY_MS_MIN)).then(
      () => 'echo' as const,
      () => 'failure' as const,
    );
    if (outcome === 'echo') expect(performance.now() - beganAt).toBeGreaterThan(DELAY_MS_MIN);
    await end(proxy, fault);
    await expect(echo(proxy.port)).resolves.toBeUndefined();
  });
});

describe('a schedule', () => {
  const random = randomFrom(1);
  const seeds = Array.from({ length: 50 }, () => random.int(0, 2 ** 31));

  test('repeats with its seed', () => {
    const [seed = 0, other = 0] = seeds;
    expect(scheduleOf(seed, HOUR_MS, 3)).toEqual(scheduleOf(seed, HOUR_MS, 3));
    expect(scheduleOf(seed, HOUR_MS, 3)).not.toEqual(scheduleOf(other, HOUR_MS, 3));
  });

  test.each([LENGTH_MS, HOUR_MS])(
    'of %i ms always leaves a destination without a fault',
    (length) => {
      for (const seed of seeds) {
        const { faults } = scheduleOf(seed, length, 3);
        for (const { fromMs } of faults) {
          const active = faults.filter((fault) => fault.fromMs <= fromMs && fromMs < fault.untilMs);
          const destinations = new Set(active.map(({ destination }) => destination));
          expect(destinations.size).toBe(active.length);
          expect(active.length).toBeLessThanOrEqual(FAULTY_MAX);
        }
        expect(faults.every(({ fromMs, untilMs }) => fromMs < untilMs && untilMs <= length)).toBe(
          true,
        );
      }
    },
  );

  test('of an hour has all kinds of faults, at all destinations, and kills', () => {
    const { faults, kills } = scheduleOf(seeds[0] ?? 0, HOUR_MS, 3);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    expect(new Set(faults.map(({ destination }) => destination)).size).toBe(3);
    expect(kills.length).toBeGreaterThan(50);
  });
});

describe('the limits', () => {
  const fault = {
    ...({ kind: 'resets', destination: 0, strength: 1, stream: 'upstream' } as const),
    ...{ fromMs: 1_000, untilMs: 11_000 },
  };
  const effort = { runMs: 60_000, starts: 2, acknowledgements: 20, faults: [fault] };
  const most = writesMax(effort, 0);
  const measured = {
    writes: [{ name: 's3', count: most }],
    ...{ stagingBytesMax: STAGING_BYTES_MAX, stagedBytesMax: STAGING_BYTES_MAX },
    residentBytesMax: RESIDENT_BYTES_MAX,
  };

  test('hold at their values', () => {
    expect(exceeded(measured, effort)).toEqual([]);
  });

  test.each([
    [{ writes: [{ name: 's3', count: most + 1 }] }, `s3: ${most + 1} writes`],
    [{ stagedBytesMax: STAGING_BYTES_MAX + 1 }, 'staged files'],
    [{ residentBytesMax: RESIDENT_BYTES_MAX + 1 }, 'resident memory'],
  ])('name what exceeds them: %o', (more, words) => {
    expect(exceeded({ ...measured, ...more }, effort)).toEqual([
      expect.stringContaining(words) as string,
    ]);
  });

  test('allow a destination retries for its own faults only', () => {
    expect(faultyMs([fault], 0)).toBe(10_000);
    expect(faultyMs([fault], 1)).toBe(0);
    expect(writesMax(effort, 1)).toBeLessThan(most);
    // Without pauses, more than ten attempts a second.
    expect(most).toBeLessThan(writesMax({ ...effort, faults: [] }, 0) + 100);
  });
});
