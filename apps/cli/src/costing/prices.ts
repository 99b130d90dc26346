/**
 * List prices of providers, without taxes, discounts and free tiers. Each row has its source and its date,
 * and says whether a copy of the provider's own page of that date confirms all of it. The output says so too:
 * compare a row that is not verified with the provider's page before you rely on it, or give your own with -prices.
 */

import type { DestinationConfig } from '../config/model.ts';

export interface Prices {
  /** For -provider. */
  readonly id: string;
  readonly name: string;
  /** The prices are of this day; undefined for prices from -prices. */
  readonly date: string | undefined;
  /** Set if the provider's own page confirms every price; undefined for prices from -prices. */
  readonly verification: 'verified' | 'not verified' | undefined;
  readonly source: string;
  readonly currency: 'USD' | 'EUR';
  /** For a month of 730 hours. */
  readonly storagePerGB: number;
  /** Bytes of a GB on the bill. */
  readonly gbBytes: number;
  /** For each 1,000 requests. */
  readonly putPer1000: number;
  readonly getPer1000: number;
  readonly listPer1000: number;
  readonly deletePer1000: number;
  /** For bytes that are read over the internet. */
  readonly egressPerGB: number;
  /** Storage that is billed even if less is used. */
  readonly storageMinGB: number;
  /** A deleted object is billed until it has this age. */
  readonly storageMinDays: number;
}

const GIB = 1024 ** 3;
const GB = 1000 ** 3;

const NOTHING: Omit<Prices, 'id' | 'name' | 'date' | 'verification' | 'source'> = {
  currency: 'USD',
  storagePerGB: 0,
  gbBytes: GB,
  putPer1000: 0,
  getPer1000: 0,
  listPer1000: 0,
  deletePer1000: 0,
  egressPerGB: 0,
  storageMinGB: 0,
  storageMinDays: 0,
};

export const PROVIDERS: readonly Prices[] = [
  {
    ...NOTHING,
    id: 'aws-s3',
    name: 'AWS S3 Standard, us-east-1, first 50 TB',
    date: '2025-06-01',
    verification: 'not verified',
    source: 'https://aws.amazon.com/s3/pricing/',
    gbBytes: GIB,
    storagePerGB: 0.023,
    putPer1000: 0.005,
    getPer1000: 0.0004,
    listPer1000: 0.005,
    egressPerGB: 0.09,
  },
  {
    ...NOTHING,
    id: 'cloudflare-r2',
    name: 'Cloudflare R2 Standard',
    date: '2026-06-13',
    verification: 'verified',
    source: 'https://developers.cloudflare.com/r2/pricing/',
    storagePerGB: 0.015,
    putPer1000: 0.0045,
    getPer1000: 0.00036,
    listPer1000: 0.0045,
  },
  {
    ...NOTHING,
    // The page confirms the requests, not the storage.
    id: 'backblaze-b2',
    name: 'Backblaze B2, pay as you go',
    date: '2025-06-01',
    verification: 'not verified',
    source: 'https://www.backblaze.com/cloud-storage/transaction-pricing',
    storagePerGB: 0.006,
    getPer1000: 0.0004,
    listPer1000: 0.004,
    egressPerGB: 0.01,
  },
  {
    ...NOTHING,
    // 6.99 a TB until then.
    id: 'wasabi',
    name: 'Wasabi, pay as you go',
    date: '2026-07-01',
    verification: 'not verified',
    source: 'https://wasabi.com/pricing',
    gbBytes: GIB,
    storagePerGB: 7.99 / 1024,
    storageMinGB: 1024,
    storageMinDays: 90,
  },
  {
    ...NOTHING,
    // Hetzner raised prices in April and June 2026: probably too low.
    id: 'hetzner',
    name: 'Hetzner Object Storage, without VAT',
    date: '2025-06-01',
    verification: 'not verified',
    source: 'https://www.hetzner.com/storage/object-storage/',
    currency: 'EUR',
    storagePerGB: 4.99 / 1000,
    storageMinGB: 1000,
    egressPerGB: 0.001,
  },
  {
    ...NOTHING,
    id: 'gcs',
    name: 'Google Cloud Storage Standard, us-central1',
    date: '2026-09-20',
    verification: 'verified',
    source: 'https://cloud.google.com/storage/pricing',
    gbBytes: GIB,
    storagePerGB: 0.02,
    putPer1000: 0.005,
    getPer1000: 0.0004,
    listPer1000: 0.005,
    egressPerGB: 0.12,
  },
  {
    ...NOTHING,
    id: 'azure',
    name: 'Azure Blob Storage Hot LRS, East US 2, first 50 TB',
    date: '2025-06-01',
    verification: 'not verified',
    source: 'https://azure.microsoft.com/pricing/details/storage/blobs/',
    gbBytes: GIB,
    storagePerGB: 0.0184,
    putPer1000: 0.005,
    getPer1000: 0.0004,
    listPer1000: 0.005,
    egressPerGB: 0.087,
  },
];

/** A folder or a server of one's own. */
const OWN_STORAGE: Prices = {
  ...NOTHING,
  id: 'none',
  name: 'storage of your own, no prices',
  date: undefined,
  verification: undefined,
  source: 'no provider is known for this destination: give -provider or -prices',
};

const HOSTS: readonly (readonly [RegExp, string])[] = [
  [/\.r2\.cloudflarestorage\.com$/, 'cloudflare-r2'],
  [/\.backblazeb2\.com$/, 'backblaze-b2'],
  [/\.wasabisys\.com$/, 'wasabi'],
  [/\.your-objectstorage\.com$/, 'hetzner'],
  [/\.amazonaws\.com$/, 'aws-s3'],
];

/** The prices of a destination's provider, by its type and the host of its endpoint. */
export function pricesOf({ type, config }: Pick<DestinationConfig, 'type' | 'config'>): Prices {
  if (type === 'gs' || type === 'gcs') return providerOf('gcs') ?? OWN_STORAGE;
  if (type === 'abs' || type === 'azure') return providerOf('azure') ?? OWN_STORAGE;
  if (type !== 's3') return OWN_STORAGE;
  const endpoint = (config as { readonly endpoint?: unknown }).endpoint;
  if (typeof endpoint !== 'string') return providerOf('aws-s3') ?? OWN_STORAGE;
  const host = URL.parse(endpoint)?.hostname ?? '';
  const id = HOSTS.find(([pattern]) => pattern.test(host))?.[1];
  return (id === undefined ? undefined : providerOf(id)) ?? OWN_STORAGE;
}

export function providerOf(id: string): Prices | undefined {
  return PROVIDERS.find((prices) => prices.id === id);
}

/** Names of the prices in -prices. */
const KEYS = {
  storage: 'storagePerGB',
  put: 'putPer1000',
  get: 'getPer1000',
  list: 'listPer1000',
  delete: 'deletePer1000',
  egress: 'egressPerGB',
} as const;

/** Parses "storage=0.02,put=0.005". A string says what is wrong. */
export function parsePrices(text: string): Prices | string {
  const prices: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [key = '', value = '', ...more] = part.split('=').map((word) => word.trim());
    const name = Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS] : undefined;
    if (name === undefined || more.length > 0) {
      return `"${part}" is not one of ${Object.keys(KEYS).join(', ')} with a price, as in put=0.005`;
    }
    if (!/^\d+(\.\d+)?$/.test(value)) return `the price "${value}" of ${key} is not a number`;
    prices[name] = Number(value);
  }
  const [date, verification] = [undefined, undefined];
  const given = { id: 'own', name: 'prices from -prices', date, verification, source: '-prices' };
  return { ...NOTHING, ...given, ...prices };
}
