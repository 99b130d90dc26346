import { expect, test } from 'vitest';
import type { Forecast } from '../../src/costing/model.ts';
import { moneyFor } from '../../src/costing/money.ts';
import { parsePrices, pricesOf, PROVIDERS, type Prices } from '../../src/costing/prices.ts';

const MILLION: Forecast = {
  levels: [],
  requests: { put: 1e6, get: 1e6, list: 1e6, delete: 1e6 },
  deletedFiles: 1e6,
  sentBytes: 100 * 1024 ** 3,
  readBytes: 10 * 1000 ** 3,
  storedFiles: 1e4,
  storedBytes: 100 * 1000 ** 3,
};

const of = (id: string): Prices => PROVIDERS.find((each) => each.id === id) as Prices;

test('every provider has a date, a page and prices that are not negative', () => {
  expect(PROVIDERS.map(({ id }) => id)).toEqual([
    ...['aws-s3', 'cloudflare-r2', 'backblaze-b2', 'wasabi', 'hetzner', 'gcs', 'azure'],
  ]);
  for (const { date, verification, source, storagePerGB } of PROVIDERS) {
    expect(['verified', 'not verified']).toContain(verification);
    expect(date).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(source).toMatch(/^https:\/\//);
    expect(storagePerGB).toBeGreaterThan(0);
  }
});

test('money is storage, requests by kind, and bytes that are read', () => {
  expect(moneyFor(MILLION, of('cloudflare-r2'))).toEqual({
    storage: expect.closeTo(1.5),
    put: expect.closeTo(4.5),
    get: expect.closeTo(0.36),
    list: expect.closeTo(4.5),
    delete: 0,
    egress: 0,
    total: expect.closeTo(10.86),
  });
  const aws = moneyFor({ ...MILLION, storedBytes: 100 * 1024 ** 3 }, of('aws-s3'));
  expect([aws.storage, aws.put]).toEqual([expect.closeTo(2.3), expect.closeTo(5)]);
});

test('a minimum of storage and of its age are billed', () => {
  const wasabi = of('wasabi');
  expect(moneyFor(MILLION, wasabi).total).toBeCloseTo(7.99);
  // 1 TiB a month for 90 days, although it is deleted at once
  const much = { ...MILLION, sentBytes: 1024 ** 4 };
  expect(moneyFor(much, wasabi).storage).toBeCloseTo((7.99 * 90 * 24) / 730, 1);
  expect(moneyFor(MILLION, of('hetzner')).storage).toBeCloseTo(4.99);
});

test.for([
  [undefined, 'aws-s3'],
  ['https://s3.eu-west-1.amazonaws.com', 'aws-s3'],
  ['https://abc.r2.cloudflarestorage.com', 'cloudflare-r2'],
  ['https://s3.us-west-004.backblazeb2.com', 'backblaze-b2'],
  ['https://s3.wasabisys.com', 'wasabi'],
  ['https://fsn1.your-objectstorage.com', 'hetzner'],
  ['http://localhost:9000', 'none'],
  ['https://amazonaws.com.example.org', 'none'],
] as const)('the endpoint %s has the prices of %s', ([endpoint, id]) => {
  expect(pricesOf({ type: 's3', config: { endpoint } }).id).toBe(id);
});

test.for([
  ['gs', 'gcs'],
  ['abs', 'azure'],
  ['file', 'none'],
  ['sftp', 'none'],
] as const)('the type %s has the prices of %s', ([type, id]) => {
  expect(pricesOf({ type, config: {} }).id).toBe(id);
});

test('prices of your own replace all others', () => {
  const prices = parsePrices('storage=0.02,put=0.005, egress=1') as Prices;
  expect(prices).toMatchObject({ storagePerGB: 0.02, putPer1000: 0.005, egressPerGB: 1 });
  expect(prices).toMatchObject({ getPer1000: 0, listPer1000: 0, deletePer1000: 0 });
});

test.for(['put', 'puts=1', 'put=x', 'put=-1', '', 'put=1=2', 'toString=1'])(
  'the prices "%s" are refused',
  (text) => {
    expect(typeof parsePrices(text)).toBe('string');
  },
);
