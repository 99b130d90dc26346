import { isError, ReplicationError } from '@sluice/core/backend';

import { changeFiles, type Change } from '../world.ts';
import { inFiles, type Saboteur } from './saboteur.ts';

const SILENCE = 'errors/a-server-that-never-answers';
const CUT = 'errors/a-connection-cut-while-idle';
const LEFT = 'write/leaves-nothing-behind';
const SOCKETS = 'close/frees-every-socket';
const READERS = 'concurrency/readers-disturb-no-writer';

/** Backends that handle hanging or cut connections incorrectly, or leave keys or sockets behind. */
export const NETWORK_SABOTEURS: readonly Saboteur[] = [
  whenSilent('ignores the signal while waiting for a response', (client) =>
    changeFiles(client, (inner) => ({
      deleteFiles: (files) => inner.deleteFiles(files),
    })),
  ),
  whenSilent('reports a closed client as unavailable', (client) =>
    changeFiles(client, (inner) => ({
      openFile: (...given) =>
        inner.openFile(...given).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_CLOSED')) throw error;
          throw new ReplicationError('REPLICA_UNAVAILABLE', 'open: no response');
        }),
    })),
  ),
  whenCut('never reconnects', (client, world) =>
    changeFiles(client, () => ({
      // oxlint-disable-next-line require-yield
      async *listFiles() {
        throw new ReplicationError('REPLICA_UNAVAILABLE', `list: cut ${world.cuts} times`);
      },
    })),
  ),
  whenCut('reports a cut connection as a missing file', (client) =>
    changeFiles(client, (inner) => ({
      openFile: (...given) =>
        inner.openFile(...given).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_UNAVAILABLE')) throw error;
          throw new ReplicationError('REPLICA_NOT_FOUND', 'open: no response');
        }),
    })),
  ),
  {
    does: 'does not close a socket',
    group: [SOCKETS],
    change(client, world) {
      let opened = 0;
      return changeFiles(client, (inner) => ({
        async writeFile(...given) {
          const info = await inner.writeFile(...given);
          // One per client, which a test of single calls does not detect.
          if (opened === 0) world.handles += opened += 1;
          return info;
        },
      }));
    },
  },
  inFiles('leaves a part behind when the source fails', [LEFT], (inner, { store }, path) => ({
    writeFile: (...given) =>
      inner.writeFile(...given).catch((error: unknown) => {
        store.put(`${path}/parts/1`, Buffer.alloc(1), { modifiedAt: new Date() });
        throw error;
      }),
  })),
  inFiles('leaves a part of an aborted write behind', [LEFT], (inner, { store }, path) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(file, body, options).catch((error: unknown) => {
        const isAborted = options?.signal?.aborted === true;
        if (isAborted) store.put(`${path}/aborted`, Buffer.alloc(1), { modifiedAt: new Date() });
        throw error;
      }),
  })),
  {
    does: 'deletes temporary files of writers when it lists',
    group: [READERS],
    change: (client, { store }, access) =>
      changeFiles(client, (inner, path) => ({
        async *listFiles(...given) {
          if (access === 'read') store.objects.delete(`${path}/temporary`);
          yield* inner.listFiles(...given);
        },
        async writeFile(...given) {
          store.put(`${path}/temporary`, Buffer.alloc(1), { modifiedAt: new Date() });
          try {
            return await inner.writeFile(...given);
          } finally {
            store.objects.delete(`${path}/temporary`);
          }
        },
      })),
  },
];

function whenSilent(does: string, change: Change): Saboteur {
  return { does, group: [SILENCE], changed: 'silent', change };
}

function whenCut(does: string, change: Change): Saboteur {
  return { does, group: [CUT], changed: 'cuttable', change };
}
