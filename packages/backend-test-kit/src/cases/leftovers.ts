import type { Case } from '../case.ts';
import { assertLeavesNothing } from '../leftovers.ts';
import { bodyOf, bodyWithAction, pattern, ref, write } from '../helpers.ts';

const FILE = ref(1, 3, 7);
const SIZE_BYTES = 300_000; // five chunks

export const leftoverCases: readonly Case[] = [
  {
    id: 'write/leaves-nothing-behind',
    promise: 'A write that fails, is aborted or is refused leaves no keys behind.',
    needs: ['raw'],
    sizeBytes: ({ partSizeBytes }) => Math.max(SIZE_BYTES, 2 * partSizeBytes),
    async run(context) {
      const { replica, subject } = context;
      // Creates everything that is created once per replica, such as folders and markers.
      await write(replica, ref(1, 1), pattern(9, 1));
      for (const sizeBytes of [SIZE_BYTES, 2 * subject.partSizeBytes]) {
        const bytes = pattern(sizeBytes, 2);
        // Other cases check that these writes fail.
        const attempt = async (what: string, call: () => Promise<unknown>): Promise<void> => {
          await assertLeavesNothing(
            context,
            `a write of ${sizeBytes} bytes that ${what}`,
            async () => {
              await call().catch(() => undefined);
              await replica.deleteFiles([FILE]);
            },
          );
        };
        const fail = (): never => {
          throw new Error('the source failed');
        };
        for (const index of [0, 2, 'end'] as const) {
          const body = bodyWithAction(bytes, index, fail);
          await attempt(`fails at chunk ${index}`, () => replica.writeFile(FILE, body));
          const controller = new AbortController();
          const { signal } = controller;
          const aborted = bodyWithAction(bytes, index, () =>
            controller.abort(new Error('not wanted')),
          );
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
