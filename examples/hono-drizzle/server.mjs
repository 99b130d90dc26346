// An HTTP server that confirms an order when it is at one destination or more.

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { open, orders } from './database.mjs';

const database = await open();
const { db, backup } = database;
const app = new Hono();

app.get('/orders', (context) => context.json(db.select().from(orders).all()));

app.post('/orders', async (context) => {
  const { item } = await context.req.json();
  const order = db.insert(orders).values({ item }).returning().get();
  await backup.durable({ min: 1, signal: context.req.raw.signal });
  return context.json(order, 201);
});

app.get('/health', async (context) => {
  const { healthy, problems } = await backup.status();
  return context.json({ healthy, problems }, healthy ? 200 : 503);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) =>
  console.log(`listening on port ${port}`),
);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => void database.close());
  });
}
