// make bench: the costs of posthorn. Prints a table, and writes build-bench/bench.json.
//
// BENCH_PARTS picks parts, by name: `BENCH_PARTS=neighbours,paced make bench`; a letter is an older name.
//
//   throughput  a, b: the ceiling (load posts straight to sink), the null relay between them, and posthorn between
//               them: accepted durably, delivered, recorded. They take turns, and ratios are the medians of the turns'
//               own, since a shared machine may be twice as fast a minute later
//   backlog     c: the same with a million deliveries waiting for one dead endpoint
//   tls         d: new TLS connections to a verified endpoint; and connections that are kept
//   batches     e: events accepted in batches of 100 lines, against one a request; nobody to deliver them to
//   paced       at 300/s, 1,000/s and 70 % of saturation: waits from the due time of each request, CPU, log bytes, syncs
//   producers   50, 256 and 1,024 producers at once
//   endpoints   events for 1, 1,000, 10,000 and 100,000 endpoints at random
//   neighbours  a healthy endpoint beside slow ones, hanging ones, and ones that refuse connections
//   newcomer    a new endpoint that answers after one second
//   pushback    receivers that take 20 or 500 a second and say 429 beyond
//   recovery    a receiver that is back after an outage
//   keys        a random Idempotency-Key for each event, many kept
//   bodies      4, 32, 256 KiB and 1 MiB; 1 MiB for a slow receiver
//   routing     f: a user with 1, 10 and 100 endpoints, filters that refuse; 100,000 idle endpoints, and 1 % of them at work
//   masters     each event to its user and to the user's Master
//   purge       old events go, alone and beside some that wait
//   reads       lists beside writes with a million events; PATCH, POST and /metrics with 100,000 users
//   backup      `posthorn backup` under load
//   against     the program under test and BENCH_AGAINST=PROGRAM in turns, which is how to see a few percent; only if there is one
//
// Settings, by environment; what is a count or a time has its place in the part's file:
//   BENCH_SCALE=1            smaller counts and shorter times, for all parts at once
//   BENCH_REPEATS=5 BENCH_CONNECTIONS=64 BENCH_BODY=700
//   BENCH_POSTHORN=PROGRAM   another build to compare with. What it cannot do is skipped, and the row says why
//   BENCH_FILL=PROGRAM       the `fill` of that build; else the one beside it
//   BENCH_JSON=FILE          where the results go
//
// load is pinned to the first core and sink to the second; posthorn runs on both, as it would. Loopback only.
// `bench/compare A.json B.json` says what changed beyond noise; `node bench/readme.mjs A.json` puts it into README.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { bodyBytes, build, connections, endAll, program, progress, repeats, root, Skip, skipped, work } from './rig.mjs';
import { table } from './table.mjs';

const names = ['throughput', 'backlog', 'tls', 'batches', 'paced', 'producers', 'endpoints', 'neighbours', 'newcomer', 'pushback',
               'recovery', 'keys', 'bodies', 'routing', 'masters', 'purge', 'reads', 'backup', 'against'];
const letters = { a: 'throughput', b: 'throughput', c: 'backlog', d: 'tls', e: 'batches', f: 'routing' };

function chosen(text) {
    if (!text) return names.filter((name) => name !== 'against' || process.env.BENCH_AGAINST);
    const asked = /^[a-f]+$/.test(text) ? [...text] : text.split(',');
    const parts = asked.map((name) => letters[name] ?? name);
    const unknown = parts.find((name) => !names.includes(name));
    if (unknown) throw new Error(`bench: there is no part '${unknown}'; there are ${names.join(', ')}`);
    return names.filter((name) => parts.includes(name));
}

async function measure(name) {
    const part = await import(`./parts/${name}.mjs`);
    const begun = Date.now();
    progress(`${name}: ${part.what}`);
    try {
        const rows = await part.run();
        progress(`${name}: ${Math.round((Date.now() - begun) / 1000)} s`);
        return rows;
    } catch (error) {
        if (!(error instanceof Skip)) {
            progress(`${name}: ${error.stack}`);
            process.exitCode = 1; /* at the end: the other parts are worth having */
        }
        return [skipped(name, part.what, error.message.split('\n')[0])];
    } finally {
        endAll();
    }
}

const parts = chosen(process.env.BENCH_PARTS);
const tools = ['bench/load', 'bench/sink', 'bench/relay', 'bench/fill', 'bench/libcount.so'];
if (!process.env.BENCH_BUILD)
    execFileSync('sh', ['-c', '[ -f build-bench/build.ninja ] || meson setup build-bench -Dbuildtype=debugoptimized -Db_lto=true >/dev/null; ' +
        `ninja -C build-bench --quiet ${tools.join(' ')} ${process.env.BENCH_POSTHORN ? '' : 'src/posthorn'}`], { cwd: root, stdio: ['ignore', 2, 2] });
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

const result = { version: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim(), cores: cpus().length,
                 repeats, connections, body_bytes: bodyBytes, parts: {} };
const into = process.env.BENCH_JSON ?? join(build, 'bench.json');
for (const name of parts) {
    const begun = Date.now();
    const rows = await measure(name);
    result.parts[name] = { seconds: Math.round((Date.now() - begun) / 1000), rows };
    writeFileSync(into, `${JSON.stringify(result, null, 1)}\n`);
}
const rows = Object.values(result.parts).flatMap((part) => part.rows);
console.log(table(rows));
