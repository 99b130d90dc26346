/** The LTX format for tools that read or write files themselves. Loads no native code. */

export { formatTXID, parseTXID, toTXID, type TXID } from './ltx/txid.ts';
