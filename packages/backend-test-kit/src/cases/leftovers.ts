import type { Case } from '../case.ts';
import { leavesNothing } from '../leftovers.ts';
import { bodyOf, bodyThat, pattern, ref, write } from '../words.ts';

const FILE = ref(1, 3, 7);
const SIZE_BYTES = 300_000; // five chunks

export const leftoverCases: readonly Case[] = [
  {
    id: 'write/leaves-nothing-behind',
    says: 'Of a write that fails, is aborted or is refused nothing is left, whatever its name.',
    needs: ['raw'],
    sizeBytes: ({ partSizeBytes }) => Math.max(SIZE_BYTES, 2 * partSizeBytes),
    async run(context) {
      const { replica, subject } = context;
      // What is made for a replica once (a folder, a marker) is there then.
      await write(replica, ref(1, 1), pattern(9, 1));
      for (const sizeBytes of [SIZE_BYTES, 2 * subject.partSizeBytes]) {
        const bytes = pattern(sizeBytes, 2);
        // Whether it fails at all is judged by others.
        const attempt = async (what: string, begin: () => Promise<unknown>): Promise<void> => {
          await leavesNothing(context, `a write of ${sizeBytes} bytes that ${what}`, async () => {
            await begin().catch(() => undefined);
            await replica.deleteFiles([FILE]);
          });
        };
        const fail = (): never => {
          throw new Error('the disk of the source is gone');
        };
        for (const index of [0, 2, 'end'] as const) {
          const body = bodyThat(bytes, index, fail);
          await attempt(`fails at chunk ${index}`, () => replica.writeFile(FILE, body));
          const controller = new AbortController();
          const { signal } = controller;
          const aborted = bodyThat(bytes, index, () => controller.abort(new Error('not wanted')));
          await attempt(`is aborted at chunk ${index}`, () =>
            replica.writeFile(FILE, aborted, { signal }),
          );
        }
        const short = { ...bodyOf(bytes), sizeBytes: sizeBytes + 1 };
        await attempt('is too short', () => replica.writeFile(FILE, short));
        if (subject.capabilities.conditions === undefined) continue;
        const condition = 'if-absent';
        await attempt('is refused', () =>
          replica.writeFile(ref(1, 1), bodyOf(bytes), { condition }),
        );
      }
    },
  },
];
