/** Fields that several outputs have. */

import { z } from 'zod';

export const path = z.string().startsWith('/');
export const txid = z.string().regex(/^[0-9a-f]{16}$/);
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ format: 'date-time' });
export const count = z.int().nonnegative();
export const names = z.array(z.string());
/** A code of docs/errors.md. */
export const code = z.string().regex(/^[A-Z][A-Z0-9_]*$/);
/** "0000000000000001-000000000000002a.ltx" */
export const filename = z.string().regex(/^[0-9a-f]{16}-[0-9a-f]{16}\.ltx$/);
/** "0/0000000000000001-000000000000002a.ltx" */
export const object = z.string().regex(/^\d\/[0-9a-f]{16}-[0-9a-f]{16}\.ltx$/);
export const level = z.int().min(0).max(9);
/** A generation of Litestream 0.3. */
export const generation = z.string().regex(/^[0-9a-f]{16}$/);
/** A destination of the configuration. */
export const destination = z.strictObject({
  name: z.string(),
  type: z.string(),
  target: z.string(),
});
/** A failure, with its code in docs/errors.md if it has one. */
export const failure = z.strictObject({ code: code.optional(), message: z.string() });
