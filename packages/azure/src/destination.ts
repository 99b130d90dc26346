/** One container with one set of credentials: one pipeline and its sockets for all databases. */

import { Agent as HTTPAgent } from 'node:http';
import { Agent as HTTPSAgent } from 'node:https';
import { Budget, Limiter, Work, type ConnectContext, type Destination } from '@sluice/core/backend';
import { AzureReplica } from './client.ts';
import type { AzureConfig } from './config.ts';
import { containerOf } from './container.ts';
import { objectsOf } from './objects.ts';
import type { Place } from './place.ts';

/** Requests at once: as many as core has calls. A thousand databases share them. */
const REQUESTS_MAX = 16;

/** Sends nothing: what is not right is told by the first call. But see `containerOf`. */
export async function connect(config: AzureConfig, _context: ConnectContext): Promise<Destination> {
  const name = `abs://${config.container}`;
  const options = { keepAlive: true, maxSockets: REQUESTS_MAX, maxFreeSockets: REQUESTS_MAX };
  const isSecure = config.endpoint.startsWith('https:');
  const agent = isSecure ? new HTTPSAgent(options) : new HTTPAgent(options);
  const work = new Work(name);
  const place: Place = {
    name,
    config,
    container: await containerOf(config, agent),
    work,
    slots: new Limiter(REQUESTS_MAX),
    budget: new Budget(config.blocksAtOnce * config.blockSizeBytes),
    agent,
  };
  let closed: Promise<void> | undefined;
  return {
    name,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new AzureReplica(place, path),
    objects: (path) => objectsOf(place, path),
    async close() {
      closed ??= work.close().then(() => agent.destroy());
      await closed;
    },
  };
}
