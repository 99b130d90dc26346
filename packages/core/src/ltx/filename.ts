/** Names of LTX files: `<minTXID>-<maxTXID>.ltx`, each 16 lower-case hex digits. */

import { formatTXID, parseTXID, type TXID } from './txid.ts';

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/;

/** "<min TXID>-<max TXID>.ltx", each with 16 hex digits. */
export function formatFilename(minTXID: TXID, maxTXID: TXID): string {
  return `${formatTXID(minTXID)}-${formatTXID(maxTXID)}.ltx`;
}

/** The TXIDs in a file name, or undefined if it is not the name of an LTX file. */
export function parseFilename(name: string): { minTXID: TXID; maxTXID: TXID } | undefined {
  const match = NAME.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  if (/^0+$/.test(match[1])) return undefined; // TXIDs begin at 1
  const minTXID = parseTXID(match[1]);
  const maxTXID = parseTXID(match[2]);
  return minTXID <= maxTXID ? { minTXID, maxTXID } : undefined;
}
