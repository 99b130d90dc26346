/** The sockets that a destination has over HTTP: as many as it may have, kept open, none silent for ever. */

import type { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { proxyEnvironment } from './proxy.ts';
import { SOCKETS_MAX } from './sockets.ts';

/** Nothing sent and nothing received for so long: the connection is dropped. */
export const HTTP_SILENCE_MS_MAX = 60_000;

export interface HTTPAgentOptions {
  /** Whatever certificate the server shows is taken for its own. Off by default. */
  readonly skipVerify?: boolean | undefined;
  /** Until a silent connection is dropped. 60 s by default. */
  readonly silenceMs?: number | undefined;
}

/**
 * An agent for the requests of one destination. They go through the proxy that HTTPS_PROXY and
 * HTTP_PROXY name, but for the hosts in NO_PROXY (http-proxy.ts; Node 22.21, 24.5 and later; older
 * ones ignore all three). CONFIG_INVALID where they name no proxy that can be used.
 */
export function httpAgent(
  protocol: 'http:' | 'https:',
  { skipVerify = false, silenceMs = HTTP_SILENCE_MS_MAX }: HTTPAgentOptions = {},
): Agent {
  const options = {
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    maxFreeSockets: SOCKETS_MAX,
    timeout: silenceMs,
    proxyEnv: proxyEnvironment(process.env),
  };
  // Node's own modules, loaded when the first destination connects.
  if (protocol === 'http:') {
    return neverSilent(new (process.getBuiltinModule('node:http').Agent)(options), silenceMs);
  }
  const { Agent: Secure } = process.getBuiltinModule('node:https');
  const secure = new Secure({ ...options, rejectUnauthorized: !skipVerify });
  return neverSilent(secure, silenceMs);
}

/** By itself an agent tells a request of the silence, and leaves it at that. */
function neverSilent(agent: Agent, silenceMs: number): Agent {
  const watch = (given: Duplex | null | undefined): void => {
    const socket = given as Socket | null | undefined; // always, of Node's own agents
    socket?.setTimeout(silenceMs); // one in a tunnel was not told
    socket?.once('timeout', () => {
      const error = new Error(`nothing was sent or received for ${silenceMs} ms`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    });
  };
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    // Through a proxy it comes later.
    const socket = connect(options, (error, late) => {
      watch(late);
      callback?.(error, late);
    });
    watch(socket);
    return socket;
  };
  return agent;
}
