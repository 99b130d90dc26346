import { isError, ReplicationError } from '@sluice/core/backend';

import { changeFiles, type Change } from '../world.ts';
import { inFiles, type Saboteur } from './saboteur.ts';

const SILENCE = 'errors/a-server-that-never-answers';
const CUT = 'errors/a-connection-cut-while-idle';
const LEFT = 'write/leaves-nothing-behind';
const SOCKETS = 'close/frees-every-socket';
const READERS = 'concurrency/readers-disturb-no-writer';

/** Connections that hang, that were cut, that stay open; and what a call leaves beside the files. */
export const NETWORK_SABOTEURS: readonly Saboteur[] = [
  whenSilent('waits for an answer, whatever the signal', (client) =>
    changeFiles(client, (inner) => ({
      deleteFiles: (files) => inner.deleteFiles(files),
    })),
  ),
  whenSilent('says that nobody is there when it is closed', (client) =>
    changeFiles(client, (inner) => ({
      openFile: (...given) =>
        inner.openFile(...given).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_CLOSED')) throw error;
          throw new ReplicationError('REPLICA_UNAVAILABLE', 'open: nobody answered');
        }),
    })),
  ),
  whenCut('never connects again', (client, world) =>
    changeFiles(client, () => ({
      // oxlint-disable-next-line require-yield
      async *listFiles() {
        throw new ReplicationError('REPLICA_UNAVAILABLE', `list: cut ${world.cuts} times`);
      },
    })),
  ),
  whenCut('takes a cut for a file that is missing', (client) =>
    changeFiles(client, (inner) => ({
      openFile: (...given) =>
        inner.openFile(...given).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_UNAVAILABLE')) throw error;
          throw new ReplicationError('REPLICA_NOT_FOUND', 'open: nothing came');
        }),
    })),
  ),
  {
    does: 'keeps a socket when it closes',
    group: [SOCKETS],
    change(client, world) {
      let opened = 0;
      return changeFiles(client, (inner) => ({
        async writeFile(...given) {
          const info = await inner.writeFile(...given);
          // One for a client: a kit that looks at single calls does not see it.
          if (opened === 0) world.handles += opened += 1;
          return info;
        },
      }));
    },
  },
  inFiles('leaves a part of what a source has not given', [LEFT], (inner, { store }, path) => ({
    writeFile: (...given) =>
      inner.writeFile(...given).catch((error: unknown) => {
        store.put(`${path}/parts/1`, Buffer.alloc(1), { modifiedAt: new Date() });
        throw error;
      }),
  })),
  inFiles('leaves a part of what was aborted', [LEFT], (inner, { store }, path) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(file, body, options).catch((error: unknown) => {
        const isAborted = options?.signal?.aborted === true;
        if (isAborted) store.put(`${path}/aborted`, Buffer.alloc(1), { modifiedAt: new Date() });
        throw error;
      }),
  })),
  {
    does: 'sweeps what a writer has in hand wherever it reads',
    group: [READERS],
    change: (client, { store }, access) =>
      changeFiles(client, (inner, path) => ({
        async *listFiles(...given) {
          if (access === 'read') store.objects.delete(`${path}/in-hand`);
          yield* inner.listFiles(...given);
        },
        async writeFile(...given) {
          store.put(`${path}/in-hand`, Buffer.alloc(1), { modifiedAt: new Date() });
          try {
            return await inner.writeFile(...given);
          } finally {
            store.objects.delete(`${path}/in-hand`);
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
