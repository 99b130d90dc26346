/** Worker thread that merges staged files, so that the main thread and the followed databases do not wait. */

import { systemFiles } from '../../file-system.ts';
import { createKernel } from '../../kernel/kernel.ts';
import { serve } from '../../threads/serve.ts';
import { mergeFiles } from './merge-files.ts';
import type { MergeService } from './merge-thread.ts';

const ports = { files: systemFiles, kernel: createKernel() };

serve<MergeService>({ merge: (order) => mergeFiles(order, ports) });
