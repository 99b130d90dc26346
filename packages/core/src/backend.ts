/** What the author of a backend imports: the contract and its helpers. Loads no native code. */

export { defineBackend, CLOSE_MS_MAX } from './replica/backend.ts';
