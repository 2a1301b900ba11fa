import { endAtOnce, endPair, endServers, findPrograms, startPair, startServers } from '../test/bench/programs.mjs';
import { measureThroughput } from '../test/bench/throughput.mjs';
import { readFileSync } from 'node:fs';
process.on('exit', endAtOnce);
const [build, pipeline, requests, both] = process.argv.slice(2);
const p = findPrograms(); const servers = await startServers(p.server); const pair = await startPair(servers, { build, nodeOptions: [] });
for (const s of ['east','west']) await servers[s].redis.config('RESETSTAT');
const ctx=(c)=>{let t=0;for(const k of ['voluntary_ctxt_switches']){t+=Number(new RegExp('^'+k+':\\s+(\\d+)','m').exec(readFileSync(`/proc/${c.pid}/status`,'latin1'))[1]);}return t;};
const io=(c)=>{const s=readFileSync(`/proc/${c.pid}/io`,'latin1');return ['syscr','syscw'].map(k=>Number(new RegExp('^'+k+': (\\d+)','m').exec(s)[1]));};
const b = {e:io(pair.east),w:io(pair.west),ce:ctx(pair.east),cw:ctx(pair.west)};
const r = await measureThroughput({ servers, pair, benchmark: p.benchmark, requests: Number(requests), keys: 1e6, pipeline: Number(pipeline), directions: both ? [['east','west'],['west','east']] : [['east','west']] });
console.log(Math.round(r.changesPerSecond), r.cpuMicroseconds);
console.log('io e r/w', io(pair.east).map((x,i)=>x-b.e[i]), 'w', io(pair.west).map((x,i)=>x-b.w[i]), 'ctx', ctx(pair.east)-b.ce, ctx(pair.west)-b.cw);
for (const s of ['east','west']) { const i = await servers[s].redis.info('commandstats'); console.log(s, i.split('\n').filter(l=>/cmdstat_(eval|rpush|ltrim|lrange|exec|set|hset|hmget|get|exists|ping)/.test(l)).map(l=>l.replace(/cmdstat_/,'').replace(/,rejected.*/,'').trim()).join('\n   ')); }
await endPair(pair); await endServers(servers); process.exit(0);
