/** The kit's relays in front of a test server: connections that can be cut, and one that never answers. */

import type { ReplicaClient } from '@sluice/core/backend';
import { startRelay, type Cuttable, type Relay, type Setup } from '@sluice/backend-test-kit';

type ConnectAt = (address: string) => Promise<ReplicaClient>;

/** The hooks `silent` and `cuttable` for a server at `address`. `stop` also closes their relays. */
export function relayed(
  address: string,
  connectAt: ConnectAt,
  stop: () => Promise<void>,
): Required<Pick<Setup, 'silent' | 'cuttable' | 'stop'>> {
  const relays: Relay[] = [];
  const start = async (...target: Parameters<typeof startRelay>): Promise<Relay> => {
    const relay = await startRelay(...target);
    relays.push(relay);
    return relay;
  };
  return {
    silent: async () => await connectAt(withPort(address, (await start()).port)),
    async cuttable(): Promise<Cuttable> {
      const { hostname: host, port } = new URL(asURL(address));
      const relay = await start({ host, port: Number(port) });
      const client = await connectAt(withPort(address, relay.port));
      return { client, cut: () => relay.cut() };
    },
    async stop() {
      await Promise.all(relays.map((relay) => relay.close()));
      await stop();
    },
  };
}

/** Also accepts "host:port". */
function asURL(address: string): string {
  return address.includes('://') ? address : `tcp://${address}`;
}

/** The same address with another port of this machine. */
function withPort(address: string, port: number): string {
  return address.replace(/(:\/\/)?[^/:]+:\d+/, `$1127.0.0.1:${port}`);
}
