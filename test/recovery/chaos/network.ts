/** Carries out the faults of a schedule: one proxy for each destination. */

import type { ToxicProxy, Toxic } from '../../servers/toxiproxy.ts';
import type { Fault } from './schedule.ts';

const LATENCY_MS_MAX = 1_500;
const RATE_KB_MIN = 2;
const RATE_KB_MAX = 100;
const SLICE_BYTES_MIN = 16;
const SLICE_BYTES_MAX = 600;
const SLICE_DELAY_US = 2_000;

export async function begin(proxy: ToxicProxy, fault: Fault): Promise<void> {
  if (fault.kind === 'refused connections') await proxy.disable();
  else await proxy.add(toxicOf(fault, fault.kind));
}

export async function end(proxy: ToxicProxy, { kind }: Fault): Promise<void> {
  if (kind === 'refused connections') await proxy.enable();
  else await proxy.clear();
}

function toxicOf(
  { strength, stream }: Fault,
  kind: Exclude<Fault['kind'], 'refused connections'>,
): Toxic {
  const weakest = (least: number, most: number): number =>
    Math.round(least + (most - least) * (1 - strength));
  switch (kind) {
    case 'latency': {
      const latency = Math.round(LATENCY_MS_MAX * strength);
      return { type: 'latency', stream, latency, jitter: Math.round(latency / 3) };
    }
    case 'bandwidth':
      return { type: 'bandwidth', stream, rate: weakest(RATE_KB_MIN, RATE_KB_MAX) };
    case 'slices': {
      const size = weakest(SLICE_BYTES_MIN, SLICE_BYTES_MAX);
      const variation = Math.floor(size / 2);
      return {
        ...{ type: 'slicer', stream, delay: SLICE_DELAY_US },
        ...{ average_size: size, size_variation: variation },
      };
    }
    case 'resets':
      return { type: 'reset_peer', stream, timeout: 0 };
    case 'no answers':
      return { type: 'timeout', stream, timeout: 0 };
  }
}
