import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaClient } from '@prisma/client';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const db = new PrismaClient({ adapter: new PrismaLibSql({ url: 'file:app.db' }) });
await db.$queryRawUnsafe('PRAGMA journal_mode = wal');
await db.$executeRawUnsafe('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)');
await db.visit.create({ data: {} });
await sluice.database('app.db').durable();
console.log(`visits: ${await db.visit.count()}`);
await db.$disconnect();
