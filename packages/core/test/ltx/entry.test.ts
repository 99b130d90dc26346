import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as ltx from '../../src/ltx.ts';

test('the entry point is enough to write, merge and read files', async () => {
  const kernel = ltx.createKernel();
  const write = (txid: number, pgno: number): Uint8Array => {
    const encoder = new ltx.LTXEncoder(kernel, {
      flags: ltx.FLAG_NO_CHECKSUM,
      pageSize: 512,
      commit: 2,
      minTXID: ltx.toTXID(txid),
      maxTXID: ltx.toTXID(txid),
      timestampMs: 0,
      preApplyChecksum: 0n,
      walOffset: 0n,
      walSize: 0n,
      walSalt1: 0,
      walSalt2: 0,
      nodeID: 0n,
    });
    const parts: Uint8Array[] = [encoder.start().slice()];
    parts.push(encoder.pages(Uint32Array.of(pgno), new Uint8Array(512)).slice());
    parts.push(encoder.finish().bytes);
    return Buffer.concat(parts);
  };
  const body = async function* (bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
    yield bytes;
  };
  const decoder = new ltx.LTXDecoder(kernel);
  const pgnos: number[] = [];
  for await (const chunk of ltx.merge(kernel, [body(write(2, 1)), body(write(3, 2))])) {
    for (const batch of decoder.push(chunk)) pgnos.push(...batch.pgnos);
  }
  expect(decoder.finish().pageCount).toBe(2);
  expect(pgnos).toEqual([1, 2]);
  expect(ltx.formatTXID(decoder.header?.maxTXID ?? 0n)).toBe('0000000000000003');
});

test('the entry point loads no native code', () => {
  const entry = fileURLToPath(new URL('../../src/ltx.ts', import.meta.url));
  const program = `
    import Module from 'node:module';
    const names = [];
    Module.registerHooks({ resolve: (name, context, next) => (names.push(name), next(name, context)) });
    await import(${JSON.stringify(entry)});
    console.log(JSON.stringify(names.filter((name) => !name.startsWith('.') && !name.startsWith('node:'))));
  `;
  const args = ['--input-type=module', '--no-warnings', '-e', program];
  const loaded = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
  expect(loaded).toEqual([entry]);
});
