// make bench: what posthorn costs, as ratios taken in one run. Prints a table, writes build-bench/bench.json.
//
//   a  the ceiling: load posts 700-byte bodies straight to sink
//   b  posthorn between them: accepted durably, delivered, recorded. a and b take turns, and their ratio is the median
//      of the turns' own, since a shared machine may be twice as fast a minute later
//   c  the same with a million deliveries waiting for one dead endpoint
//   d  new TLS connections to a verified endpoint
//   e  events accepted in batches of 100 lines, against one a request; nobody to deliver them to
//
// BENCH_PARTS=abcde BENCH_EVENTS=100000 BENCH_REPEATS=5 BENCH_CONNECTIONS=64 BENCH_BODY=700 BENCH_RATE=1000
// BENCH_RATE_SECONDS=10 BENCH_WAITING=1000000 BENCH_TLS=3000 BENCH_POSTHORN=PROGRAM (another build to compare with)
//
// load is pinned to the first core and sink to the second; posthorn runs on both, as it would. Loopback only.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = join(root, 'build-bench');
const work = join(build, 'work');
const setting = (name, standard) => Number(process.env[`BENCH_${name}`] ?? standard);
const parts = process.env.BENCH_PARTS ?? 'abcde';
const events = setting('EVENTS', 100_000);
const repeats = setting('REPEATS', 5);
const connections = setting('CONNECTIONS', 64);
const bodyBytes = setting('BODY', 700);
const rate = setting('RATE', 1000);
const rateSeconds = setting('RATE_SECONDS', 10);
const waiting = setting('WAITING', 1_000_000);
const tlsEvents = setting('TLS', 3000);
const program = process.env.BENCH_POSTHORN ?? join(build, 'src/posthorn');
const twoCores = cpus().length >= 2;
const pin = (cpu) => (twoCores ? ['--cpu', String(cpu)] : []);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
const progress = (text) => process.stderr.write(`bench: ${text}\n`);
const running = new Set();

async function until(what, probe, seconds = 120) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
        const value = await probe();
        if (value) return value;
        if (Date.now() > end) throw new Error(`bench: still not so after ${seconds} s: ${what}`);
        await sleep(10);
    }
}

function start(file, args, options = {}) {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    child.log = '';
    child.stderr.on('data', (data) => (child.log = (child.log + data).slice(-10_000)));
    child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.ended = new Promise((resolve) => child.on('close', (code) => {
        running.delete(child);
        resolve(code);
    }));
    running.add(child);
    return child;
}
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

async function startSink(...args) {
    const child = start(join(build, 'bench/sink'), [...pin(1), ...args]);
    const port = Number((await child.lines.next()).value);
    const ask = async (command) => {
        child.stdin.write(`${command}\n`);
        return JSON.parse((await child.lines.next()).value);
    };
    return {
        port,
        stats: () => ask('stats'),
        reset: () => ask('reset'),
        write: (file) => ask(`write ${file}`),
        end: () => (child.stdin.end(), child.ended),
    };
}

async function load(port, count, ...args) {
    const child = start(join(build, 'bench/load'),
        ['--port', port, '--count', count, '--connections', connections, '--body', join(work, 'body.json'), ...pin(0),
         ...args].map(String));
    const { value } = await child.lines.next();
    const code = await child.ended;
    if (code !== 0 || !value) throw new Error(`bench: load failed: ${child.log} ${value}`);
    return JSON.parse(value);
}

async function api(server, method, path, body, key = server.key) {
    const response = await fetch(server.url + path, {
        method, body: body && JSON.stringify(body),
        headers: { Authorization: key, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`bench: ${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
}

const setUrl = (server, url, id = '5', key = server.key) =>
    api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id, attributes: { webhook_url: url } } }, key);

function install() {
    const data = join(work, `data-${Date.now()}`);
    const made = JSON.parse(execFileSync(program, ['init', '--data', data, '--json'], { encoding: 'utf8' }));
    return { data, key: made.api_key };
}

async function serve({ data, key }, ...args) {
    const begun = process.hrtime.bigint();
    const child = start(program, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev', '--log-level', 'warn', ...args]);
    let url;
    while (!url) {
        const { value, done } = await child.lines.next();
        if (done) throw new Error(`bench: the server ended: ${child.log}`);
        url = value.match(/ready: (http\S+)/)?.[1];
    }
    const server = { url, key, data, pid: child.pid, port: Number(new URL(url).port) };
    await until('the first answer', async () => (await fetch(`${url}/health`).catch(() => ({}))).ok);
    server.firstAnswerMs = Number(process.hrtime.bigint() - begun) / 1e6;
    server.end = async (signal = 'SIGTERM') => (child.kill(signal), child.ended);
    return server;
}

/* ---- what a process has used ---- */

const PARTS = [['store', /^ph-writer/], ['delivery', /^ph-engine/], ['reads', /^ph-reader/], ['api', /./]];

/** CPU of each part in microseconds, exact to the nanosecond (schedstat), with its user share (stat, in ticks). */
function cpuOf(pid) {
    const used = Object.fromEntries(PARTS.map(([name]) => [name, { us: 0, user: 0, system: 0 }]));
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
        const task = `/proc/${pid}/task/${tid}`;
        const name = readFileSync(`${task}/comm`, 'utf8').trim();
        const stat = readFileSync(`${task}/stat`, 'utf8').split(') ').pop().split(' ');
        const part = used[PARTS.find(([, pattern]) => pattern.test(name))[0]];
        part.us += Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
        part.user += Number(stat[11]);
        part.system += Number(stat[12]);
    }
    return used;
}

/** What each part used between two readings, in microseconds per event. */
function cpuPerEvent(before, after, count) {
    const used = { total: { us: 0, user: 0, system: 0 } };
    for (const name of Object.keys(after)) {
        const us = (after[name].us - before[name].us) / count;
        const user = after[name].user - before[name].user;
        const system = after[name].system - before[name].system;
        const share = user + system > 0 ? user / (user + system) : 0;
        used[name] = { us, user: us * share, system: us * (1 - share) };
        for (const key of Object.keys(used.total)) used.total[key] += used[name][key];
    }
    return used;
}

const memoryOf = (pid, what) =>
    Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`${what}:\\s+(\\d+)`))[1]) / 1024;

/* ---- the parts ---- */

async function ceiling() {
    const sink = await startSink();
    const ran = await load(sink.port, events * 3, '--path', '/');
    await sink.end();
    return (events * 3) / ((ran.last_ns - ran.first_ns) / 1e9);
}

async function ceilings() {
    const rates = [];
    for (let i = 0; i < repeats; i++) rates.push(await ceiling());
    return { per_second: median(rates), rates };
}

/** Posts `count` events and waits until the last of them is delivered and recorded. */
async function throughput(server, sink, count, key = server.key) {
    const { requests: had } = await sink.stats();
    const before = cpuOf(server.pid);
    const ran = await load(server.port, count, '--key', key);
    if (ran.status['201'] !== count) throw new Error(`bench: not all accepted: ${JSON.stringify(ran.status)}`);
    const seen = await until('every event delivered', async () => {
        const now = await sink.stats();
        return now.requests >= had + count && now;
    });
    await sleep(300); /* the last outcomes */
    return {
        per_second: count / ((seen.last_ns - ran.first_ns) / 1e9),
        duplicates: seen.requests - had - count,
        cpu: cpuPerEvent(before, cpuOf(server.pid), count),
    };
}

async function latency(server, sink) {
    const [accepted, arrived] = [join(work, 'accepted'), join(work, 'arrived')];
    await sink.reset();
    await load(server.port, rate * rateSeconds, '--key', server.key, '--rate', rate, '--record', accepted);
    await until('every event delivered', async () => (await sink.stats()).requests >= rate * rateSeconds);
    await sink.write(arrived);
    const read = (file) => readFileSync(file, 'utf8').trim().split('\n').map((line) => line.split(' '));
    const at = new Map(read(arrived).map(([id, ns]) => [id, Number(ns)]).reverse());
    const waits = read(accepted).map(([id, ns]) => (at.get(id) - Number(ns)) / 1e6).sort((a, b) => a - b);
    if (waits.some(Number.isNaN)) throw new Error('bench: an accepted event did not arrive');
    return { p50_ms: quantile(waits, 0.5), p99_ms: quantile(waits, 0.99), events: waits.length };
}

async function main(withCeiling) {
    const sink = await startSink('--records', String(rate * rateSeconds * 2));
    const server = await serve(install());
    await sleep(1500);
    const idle = memoryOf(server.pid, 'VmRSS');
    await setUrl(server, `http://127.0.0.1:${sink.port}/hook`);
    await throughput(server, sink, Math.min(2000, events)); /* warm */
    const waits = await latency(server, sink);
    const runs = [], rates = [];
    for (let i = 0; i < repeats; i++) {
        if (withCeiling) rates.push(await ceiling());
        runs.push(await throughput(server, sink, events));
    }
    const best = runs.find((run) => run.per_second === median(runs.map((each) => each.per_second)));
    const a = withCeiling ? { per_second: median(rates), rates } : undefined;
    const ratios = rates.map((rate, i) => runs[i].per_second / rate);
    const peak = memoryOf(server.pid, 'VmHWM');
    await server.end();
    await sink.end();
    rmSync(server.data, { recursive: true });
    const b = { ...best, runs: runs.map((run) => run.per_second), cpu_us: runs.map((run) => run.cpu.total.us),
                latency: waits, rss_idle_mib: idle, rss_peak_mib: peak, ...(a && { ratio: median(ratios), ratios }) };
    return { ...(a && { a }), b };
}

async function backlog() {
    const count = Math.min(events, 50_000);
    const measure = async (server, sink) => {
        await throughput(server, sink, Math.min(2000, count));
        const runs = [];
        for (let i = 0; i < repeats; i++) runs.push(await throughput(server, sink, count));
        return { us: median(runs.map((run) => run.cpu.total.us)), per_second: median(runs.map((run) => run.per_second)) };
    };
    const sink = await startSink();
    let server = await serve(install());
    await setUrl(server, `http://127.0.0.1:${sink.port}/hook`);
    const empty = await measure(server, sink);
    const dead = await makeUser(server);
    await setUrl(server, `http://127.0.0.1:${await deadPort()}/dead`, dead.id, dead.key);
    await server.end();
    progress(`filling in ${waiting} deliveries for a dead endpoint`);
    const filled = JSON.parse(execFileSync(join(build, 'bench/fill'),
        ['--data', server.data, '--user', dead.id, '--count', waiting, '--body-bytes', bodyBytes].map(String),
        { encoding: 'utf8' }));
    server = await serve(server);
    const first = server.firstAnswerMs;
    await sleep(1000);
    const behind = await measure(server, sink);
    const peak = memoryOf(server.pid, 'VmHWM');
    await server.end('SIGKILL');
    server = await serve(server);
    const second = server.firstAnswerMs;
    await server.end();
    await sink.end();
    rmSync(server.data, { recursive: true });
    return { waiting, fill_seconds: filled.seconds, empty, behind, ratio: behind.us / empty.us, rss_peak_mib: peak,
             first_answer_ms: first, first_answer_after_kill_ms: second };
}

/** A port where nobody listens. */
function deadPort() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function makeUser(server) {
    const user = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: 'Dead' } } });
    return { id: user.data.id, key: user.meta.api_key };
}

function certificates() {
    const at = (name) => join(work, name);
    const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=bench CA');
    openssl('req', ...key, '-keyout', at('sink.key'), '-out', at('sink.csr'), '-subj', '/CN=127.0.0.1');
    writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1\n');
    openssl('x509', '-req', '-in', at('sink.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
        '-days', '2', '-extfile', at('san'), '-out', at('sink.pem'));
    return { ca: at('ca.pem'), cert: at('sink.pem'), key: at('sink.key') };
}

async function tls() {
    const { ca, cert, key } = certificates();
    const measure = async (...args) => {
        const sink = await startSink('--close', '--cert', cert, '--tls-key', key, ...args);
        const server = await serve(install(), '--ca-file', ca);
        await setUrl(server, `https://127.0.0.1:${sink.port}/hook`);
        await throughput(server, sink, 200);
        const before = await sink.stats();
        const ran = await throughput(server, sink, tlsEvents);
        const after = await sink.stats();
        await server.end();
        await sink.end();
        rmSync(server.data, { recursive: true });
        return { per_second: ran.per_second, cpu_ms: ran.cpu.delivery.us / 1000,
                 handshakes: after.handshakes - before.handshakes, resumed: after.resumed - before.resumed };
    };
    return { full: await measure('--no-resume'), resumed: await measure() };
}

const BATCH_LINES = 100;

/** Acceptance alone: no webhook_url, so no deliveries, and every event is durable when it is answered. */
async function batches() {
    const server = await serve(install());
    const measure = async (count, lines, ...args) => {
        const before = cpuOf(server.pid);
        const ran = await load(server.port, count / lines, '--key', server.key, ...args);
        if (ran.status['201'] !== count / lines) throw new Error(`bench: not all accepted: ${JSON.stringify(ran.status)}`);
        return { per_second: count / ((ran.last_ns - ran.first_ns) / 1e9), cpu: cpuPerEvent(before, cpuOf(server.pid), count) };
    };
    await measure(2000, 1);
    const runs = { single: [], batch: [] };
    for (let i = 0; i < repeats; i++) {
        runs.single.push(await measure(events, 1));
        runs.batch.push(await measure(events, BATCH_LINES, '--batch', BATCH_LINES));
    }
    await server.end();
    rmSync(server.data, { recursive: true });
    const middle = (list) => list.find((run) => run.per_second === median(list.map((each) => each.per_second)));
    const [single, batch] = [middle(runs.single), middle(runs.batch)];
    return { single, batch, ratio: batch.per_second / single.per_second };
}

/* ---- the table ---- */

function table(result) {
    const rows = [];
    const row = (what, value, goal = '', met = undefined) =>
        rows.push([what, value, goal, met === undefined ? '' : met ? 'met' : 'NOT MET']);
    const n = (value, digits = 0) =>
        value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const { a, b, c, d, e } = result;
    if (a) row('(a) ceiling, load to sink', `${n(a.per_second)} req/s`);
    if (b) {
        row('(b) accepted, delivered, recorded', `${n(b.per_second)} events/s`);
        if (a) row('    (b)/(a)', `${n(b.ratio, 3)} (${b.ratios.map((each) => n(each, 3)).join(', ')})`, '>= 0.22', b.ratio >= 0.22);
        const { total } = b.cpu, us = median(b.cpu_us);
        row('    CPU an event', `${n(us, 1)} us (${b.cpu_us.map((each) => n(each, 1)).join(', ')})`, '<= 50 us', us <= 50);
        row('      of the middle run', `${n(total.us, 1)} us (${n(total.user, 1)} user, ${n(total.system, 1)} system)`);
        for (const name of ['api', 'store', 'delivery']) {
            const part = b.cpu[name];
            row(`      ${name}`, `${n(part.us, 1)} us (${n(part.user, 1)} user, ${n(part.system, 1)} system)`);
        }
        row(`    201 to arrival at ${rate}/s`, `p50 ${n(b.latency.p50_ms, 2)} ms, p99 ${n(b.latency.p99_ms, 2)} ms`);
        row('    RSS idle', `${n(b.rss_idle_mib, 1)} MiB`, '<= 16 MiB', b.rss_idle_mib <= 16);
        row('    RSS peak', `${n(b.rss_peak_mib, 1)} MiB`);
        if (b.duplicates) row('    duplicates', n(b.duplicates));
    }
    if (c) {
        row(`(c) cost behind ${n(c.waiting)} waiting`, `${n(c.ratio, 2)} x (${n(c.behind.us, 1)} us, empty ${n(c.empty.us, 1)} us)`, '<= 1.2', c.ratio <= 1.2);
        row('    RSS peak', `${n(c.rss_peak_mib, 1)} MiB`, '<= 128 MiB', c.rss_peak_mib <= 128);
        const first = Math.max(c.first_answer_ms, c.first_answer_after_kill_ms);
        row('    restart to first answer', `${n(c.first_answer_ms)} ms, after kill -9 ${n(c.first_answer_after_kill_ms)} ms`, '<= 2,000 ms', first <= 2000);
    }
    if (d) {
        row('(d) new TLS connections', `${n(d.full.per_second)}/s, resumed ${n(d.resumed.per_second)}/s (${d.resumed.resumed} of ${d.resumed.handshakes})`);
        row('    CPU a new one', `${n(d.full.cpu_ms, 2)} ms`, '<= 0.8 ms', d.full.cpu_ms <= 0.8);
        row('    CPU a resumed one', `${n(d.resumed.cpu_ms, 2)} ms`, '<= 0.4 ms', d.resumed.cpu_ms <= 0.4);
    }
    if (e) {
        row('(e) accepted one a request', `${n(e.single.per_second)} events/s, ${n(e.single.cpu.total.us, 1)} us`);
        row(`    accepted ${BATCH_LINES} a request`, `${n(e.batch.per_second)} events/s, ${n(e.batch.cpu.total.us, 1)} us`);
        row('    batches/single', `${n(e.ratio, 2)} x`, '>= 2.5', e.ratio >= 2.5);
    }
    const widths = [0, 1, 2].map((column) => Math.max(...rows.map((cells) => cells[column].length)));
    return rows.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ').trimEnd()).join('\n');
}

execFileSync('sh', ['-c', '[ -f build-bench/build.ninja ] || meson setup build-bench -Dbuildtype=debugoptimized -Db_lto=true >/dev/null; ' +
    `ninja -C build-bench --quiet bench/load bench/sink bench/fill ${process.env.BENCH_POSTHORN ? '' : 'src/posthorn'}`], { cwd: root, stdio: ['ignore', 2, 2] });
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const event = { data: { type: 'events', attributes: { event_type: 'user_enabled', created_at: '2000-01-01T00:00:00.000Z' },
                        relationships: { resource: { data: { type: 'users', id: '7' } } } },
                included: [{ type: 'users', id: '7', attributes: { note: '' } }] };
event.included[0].attributes.note = 'x'.repeat(Math.max(0, bodyBytes - JSON.stringify(event).length));
writeFileSync(join(work, 'body.json'), JSON.stringify(event));

const result = { version: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim(), cores: cpus().length,
                 events, repeats, connections, body_bytes: bodyBytes };
const wants = (part) => parts.includes(part);
const main_part = wants('b') ? () => main(wants('a')) : wants('a') ? async () => ({ a: await ceilings() }) : null;
for (const [what, measure] of [['posthorn and the ceiling', main_part],
                               ['a backlog for a dead endpoint', wants('c') && (async () => ({ c: await backlog() }))],
                               ['TLS', wants('d') && (async () => ({ d: await tls() }))],
                               ['batches', wants('e') && (async () => ({ e: await batches() }))]]) {
    if (!measure) continue;
    progress(what);
    Object.assign(result, await measure());
}
writeFileSync(join(build, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
rmSync(work, { recursive: true, force: true });
console.log(table(result));
