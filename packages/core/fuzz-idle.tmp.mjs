import Database from 'better-sqlite3';
import fs from 'node:fs'; import path from 'node:path'; import {spawn, spawnSync} from 'node:child_process'; import crypto from 'node:crypto';
const seed=Number(process.argv[2]??1), rounds=Number(process.argv[3]??30);
let s=seed*2654435761>>>0; const rnd=()=>{s^=s<<13;s>>>=0;s^=s>>>17;s^=s<<5;s>>>=0;return s/4294967296}; const int=n=>Math.floor(rnd()*n);
const F=fs.mkdtempSync('/tmp/atk/f-'); const db=path.join(F,'app.db'); const CLI='/work/wt/attack/apps/cli/dist/main.js';
const env={...process.env,XDG_RUNTIME_DIR:F};
fs.writeFileSync(path.join(F,'s.yml'),`dbs: [{ path: ${db}, idle-close: 300ms, monitor-interval: 150ms, replica: { path: ${F}/b } }]\n`);
const sleep=ms=>new Promise(r=>setTimeout(r,ms));
let app; const open=()=>{app??=(()=>{const d=new Database(db);d.pragma('busy_timeout=5000');d.pragma('journal_mode=wal');d.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)');return d})();return app}; const close=()=>{app?.close();app=undefined};
const write=(d,n=1+int(5))=>{const q=d.prepare('INSERT INTO t(v) VALUES (randomblob(?))');for(let i=0;i<n;i++){if(int(3)===0)d.prepare('UPDATE t SET v=randomblob(50) WHERE id=(SELECT id FROM t ORDER BY random() LIMIT 1)').run();q.run(1+int(3000))}};
const gone=()=>{for(const x of ['-wal','-shm','-journal'])fs.rmSync(db+x,{force:true})};
const hash=f=>{const d=new Database(f,{readonly:true});const h=crypto.createHash('sha1');for(const r of d.prepare('SELECT id, hex(v) h FROM t ORDER BY id').raw().iterate())h.update(r.join());const n=d.prepare('SELECT count(*) FROM t').pluck().get();d.close();return n+':'+h.digest('hex').slice(0,10)};
const copies=[];
const ops={
 commit(){write(open())}, script(){close();write(open());close()}, big(){write(open(),60)},
 truncate(){write(open());open().pragma('wal_checkpoint(TRUNCATE)');if(int(2))write(open())},
 vacuum(){open().exec('VACUUM')},
 async del(){close();for(let i=0;i<80;i++){const d=new Database(db);try{d.pragma('busy_timeout=0');const m=d.pragma('journal_mode=delete',{simple:true});if(m==='delete'){write(d);if(int(2))d.pragma('journal_mode=wal');d.close();return 'ok'}}catch{}finally{if(d.open)d.close()}await sleep(20)}return 'busy'},
 copy(){close();const c=path.join(F,'c'+copies.length);const d=new Database(db);d.exec(`VACUUM INTO '${c}'`);d.close();copies.push(c)},
 mvback(){if(!copies.length)return 'none';close();const c=copies[int(copies.length)];fs.copyFileSync(c,db+'.n');gone();fs.renameSync(db+'.n',db)},
 cpback(){if(!copies.length)return 'none';close();const c=copies[int(copies.length)];gone();const st=fs.statSync(db);fs.copyFileSync(c,db);if(int(2))fs.utimesSync(db,st.atime,st.mtime)},
 async recreate(){close();gone();fs.rmSync(db,{force:true});await sleep(int(400));write(open())},
 kill(){close();spawnSync(process.execPath,['-e',`const D=require('better-sqlite3');const d=new D(${JSON.stringify(db)});d.pragma('journal_mode=wal');d.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v)');for(let i=0;i<5;i++)d.prepare('INSERT INTO t(v) VALUES (randomblob(900))').run();d.pragma('cache_size=1');d.exec('BEGIN');for(let i=0;i<20;i++)d.prepare('INSERT INTO t(v) VALUES (randomblob(4000))').run();process.kill(process.pid,'SIGKILL')`],{cwd:'/work/wt/attack/packages/core'})},
 touch(){const st=fs.statSync(db);fs.chmodSync(db,st.mode);},
 readonly(){const d=new Database(db,{readonly:true});d.prepare('SELECT count(*) FROM t').get();d.close()},
};
write(open());
let out='';
const p=spawn(process.execPath,[CLI,'replicate','-config',path.join(F,'s.yml')],{env,stdio:['ignore','pipe','pipe']});p.stdout.on('data',c=>out+=c);p.stderr.on('data',c=>out+=c);
const run=(...w)=>new Promise(r=>{let o='';const c=spawn(process.execPath,[CLI,...w,'-config',path.join(F,'s.yml')],{env});c.stdout.on('data',x=>o+=x);c.stderr.on('data',x=>o+=x);c.on('close',code=>r({code,o}))});
const names=Object.keys(ops); const log=[]; let bad=0;
try{ await sleep(1500);
for(let r=0;r<rounds&&!bad;r++){
  const k=1+int(3);
  for(let i=0;i<k;i++){const n=names[int(names.length)];let x;try{x=await ops[n]()}catch(e){x='ERR '+e.message;close()}log.push(n+(x?'('+x+')':''));if(int(2))await sleep(int(900))}
  if(int(2))close();
  await sleep([0,300,600,1200][int(4)]+int(100));
  let sy; for(let t=0;t<6;t++){sy=await run('sync','-wait','-timeout','20s',db);if(sy.code===0)break;await sleep(500)}
  const want=hash(db); fs.rmSync(F+'/r.db',{force:true});
  const re=await run('restore','-o',F+'/r.db',db); let got; try{got=hash(F+'/r.db')}catch(e){got=re.o}
  if(sy.code!==0||got!==want){bad++;console.log('ROUND',r,'sync',sy.code,sy.o,'want',want,'got',got,log.slice(-12).join(' '))}
}
if(int(2))write(open());close();const want=hash(db);p.kill('SIGTERM');const code=await new Promise(r=>p.on('close',r));fs.rmSync(F+'/r.db',{force:true});const re=await run('restore','-o',F+'/r.db',db);let got;try{got=hash(F+'/r.db')}catch{got=re.o}
if(code!==0||got!==want){bad++;console.log('END code',code,'want',want,'got',got)}
}finally{p.kill('SIGKILL');close()}
console.log('seed',seed,'bad',bad,'ops',log.length, 'opened idle', (out.match(/comparing/g)??[]).length,'images',(out.match(/taking a full/g)??[]).length);
if(bad){fs.writeFileSync('/tmp/atk/out-'+seed+'.log',out+'\n'+log.join('\n'));console.log(F)}else fs.rmSync(F,{recursive:true,force:true});
