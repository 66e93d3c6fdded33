// The common base of the bench's parts: starting programs, measuring them, making rows.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const build = process.env.BENCH_BUILD ?? join(root, 'build-bench');
export const work = join(build, `work-${process.pid}`);
export const program = process.env.BENCH_POSTHORN ?? join(build, 'src/posthorn');
const scale = Number(process.env.BENCH_SCALE ?? 1);

/** A setting of the environment, or its standard. */
export const setting = (name, standard) => Number(process.env[`BENCH_${name}`] ?? standard);
/** Likewise for counts of things, which BENCH_SCALE makes smaller, but not below `least`. */
export const count = (name, standard, least = 10) =>
    Number(process.env[`BENCH_${name}`] ?? Math.max(least, Math.round(standard * scale)));
/** Likewise for seconds, of which one is the least. */
export const seconds = (name, standard) =>
    Number(process.env[`BENCH_${name}`] ?? Math.max(1, Math.round(standard * scale)));

export const repeats = count('REPEATS', 5, 1);
export const connections = setting('CONNECTIONS', 64);
export const bodyBytes = setting('BODY', 700);
export const BATCH_LINES = 100;
const twoCores = cpus().length >= 2;
const pin = (cpu) => (twoCores ? ['--cpu', String(cpu)] : []);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const sum = (values) => values.reduce((a, b) => a + b, 0);
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
export const progress = (text) => process.stderr.write(`bench: ${text}\n`);

/** A part throws this when the program under test cannot do what is to be measured. */
export class Skip extends Error {}

export async function until(what, probe, limitSeconds = 120) {
    const end = Date.now() + limitSeconds * 1000;
    for (;;) {
        const value = await probe();
        if (value) return value;
        if (Date.now() > end) throw new Error(`bench: still not so after ${limitSeconds} s: ${what}`);
        await sleep(10);
    }
}

/* ---- processes ---- */

const running = new Set();
/** Whatever still runs when a part has failed, or at the end. */
export const endAll = () => running.forEach((child) => child.kill('SIGKILL'));
process.on('exit', endAll);

function start(file, args, options = {}) {
    const child = spawn(file, args.map(String), { stdio: ['pipe', 'pipe', 'pipe'], ...options });
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

/** The receivers (sink.c). */
export async function startSink(...args) {
    const child = start(join(build, 'bench/sink'), [...pin(1), ...args]);
    const port = Number((await child.lines.next()).value);
    const ask = async (command) => {
        child.stdin.write(`${command}\n`);
        const { value } = await child.lines.next();
        if (!value) throw new Error(`bench: the sink ended: ${child.log}`);
        return JSON.parse(value);
    };
    return {
        port,
        url: `http://127.0.0.1:${port}`,
        stats: () => ask('stats'),
        reset: () => ask('reset'),
        switch: (to) => ask(`switch ${to}`),
        /** [id, ns] of every event seen since the last reset. */
        records: async () => {
            const file = join(work, 'arrived');
            await ask(`write ${file}`);
            return readRecords(file).map(([id, at]) => [id, Number(at)]);
        },
        end: () => (child.stdin.end(), child.ended),
    };
}

export async function startRelay(target) {
    const child = start(join(build, 'bench/relay'), ['--target', target, '--connections', connections]);
    const port = Number((await child.lines.next()).value);
    return { port, end: () => (child.stdin.end(), child.ended) };
}

let bodies = 0;

/** A file with an event of about `bytes`; with `mark`, it says whose it is (see load.c). */
export function body({ bytes = bodyBytes, mark = false, keyed = false } = {}) {
    const user = mark ? ',"user":{"data":{"type":"users","id":"@USER@"              }}' : '';
    const meta = keyed ? ',"meta":{"idempotency_key":"@KEY@00000000000"}' : '';
    const event = (note) =>
        '{"data":{"type":"events","attributes":{"event_type":"user_enabled","created_at":"2000-01-01T00:00:00.000Z"},' +
        `"relationships":{"resource":{"data":{"type":"users","id":"7"}}${user}}},` +
        `"included":[{"type":"users","id":"7","attributes":{"note":"${note}"}}]${meta}}`;
    const file = join(work, `body-${bodies++}.json`);
    writeFileSync(file, event('x'.repeat(Math.max(0, bytes - event('').length))));
    return file;
}

const readRecords = (file) => readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map((line) => line.split(' '));
const plain = {};
let recordings = 0;

/** The producer (load.c). `options`: as load's own; `users` is a list of ids, `record` true to have the records. */
export async function load(port, requests, { key, users, record, file, ...options } = {}) {
    const args = ['--port', port, '--count', requests, ...pin(0),
                  '--body', file ?? (users ? (plain.marked ??= body({ mark: true })) : (plain.unmarked ??= body()))];
    const recording = record && join(work, `accepted-${recordings++}`);
    if (key) args.push('--key', key);
    if (recording) args.push('--record', recording);
    if (users) {
        const names = join(work, `users-${recordings++}`);
        writeFileSync(names, users.join('\n') + '\n');
        args.push('--users', names);
    }
    for (const [name, value] of Object.entries({ connections, ...options }))
        if (value !== undefined && value !== false)
            args.push(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, ...(value === true ? [] : [value]));
    const child = start(join(build, 'bench/load'), args);
    const { value } = await child.lines.next();
    const code = await child.ended;
    if (code !== 0 || !value) throw new Error(`bench: load failed: ${child.log} ${value}`);
    const ran = JSON.parse(value);
    if (recording) {
        ran.records = readRecords(recording).map(([id, at, due]) => ({ id, at: Number(at), due: Number(due) }));
        rmSync(recording);
    }
    return ran;
}

/** `load`, and every answer must be a 201. */
export async function post(port, requests, options) {
    const ran = await load(port, requests, options);
    if (ran.status['201'] !== requests) throw new Error(`bench: not all accepted: ${JSON.stringify(ran.status)}`);
    return ran;
}

/* ---- the server ---- */

export async function api(server, method, path, data, key = server.key) {
    const response = await fetch(server.url + path, {
        method, body: data && JSON.stringify(data),
        headers: { Authorization: key, ...(data ? { 'Content-Type': 'application/json' } : {}) },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`bench: ${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
}

export const FIRST_USER = 5;
/** Ids of further endpoints are those of events: nanoseconds since 1970. */
const FURTHER_ENDPOINT_ID = '1764392664000000000';

export const setUrl = (server, url, id = String(FIRST_USER), key = server.key, others = {}) =>
    api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id, attributes: { webhook_url: url, ...others } } }, key);

let installed = 0;

/** With one, 28,000 connections would use up the ports that there are. */
export const SINK_HOSTS = 4;

/** A data folder of its own, for the program under test or another. */
export function install(binary = program) {
    const data = join(work, `data-${installed++}`);
    const made = JSON.parse(execFileSync(binary, ['init', '--data', data, '--json'], { encoding: 'utf8' }));
    return { data, key: made.api_key, binary };
}

/** The program with which the rows of a data folder are copied, while no server runs. */
const sql = (place, text) => execFileSync('sqlite3', [join(place.data, 'posthorn.db'), text], { encoding: 'utf8' }).trim();

/** So many copies of the first user's row of a table, whatever columns this build has; `own` has the SQL of those that differ. */
function copies(place, table, where, howMany, own) {
    const columns = sql(place, `SELECT name FROM pragma_table_info('${table}')`).split('\n').filter(Boolean);
    if (!columns.length)
        return ''; // an older program has its endpoints in `users`
    return `INSERT INTO ${table} (${columns.join(', ')})
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${howMany})
            SELECT ${columns.map((column) => own[column] ?? `one.${column}`).join(', ')}
            FROM n, (SELECT * FROM ${table} WHERE ${where} = ${FIRST_USER} LIMIT 1) AS one;`;
}

/**
 * Users with a webhook URL and a key each, put into the database while no server runs: an older program takes seconds for
 * each thousand of them over the API. '#' in `url` becomes the user's id, '@' the last number of one of the sink's hosts.
 * Returns the ids.
 */
export function addUsers(place, url, howMany) {
    const first = Number(sql(place, 'SELECT max(id) FROM users')) + 1;
    const target = `replace(replace('${url}', '#', ${first} + n.i), '@', 1 + n.i % ${SINK_HOSTS})`;
    sql(place, `BEGIN;
         ${copies(place, 'users', 'id', howMany, { id: `${first} + n.i`, role: '0', master_id: String(FIRST_USER), webhook_url: target })}
         ${copies(place, 'endpoints', 'id', howMany, { id: `${first} + n.i`, owner_id: `${first} + n.i`, url: target })}
         ${copies(place, 'api_keys', 'user_id', howMany, { id: `${first} + n.i`, user_id: `${first} + n.i`, digest: 'lower(hex(randomblob(32)))' })}
         COMMIT`);
    return Array.from({ length: howMany }, (_, i) => first + i);
}

/** Further endpoints for each of these users (their ids follow each other), likewise; with the default one they have `each`. */
export function addEndpoints(place, users, url, each) {
    const id = `${FURTHER_ENDPOINT_ID} + n.i`;
    sql(place, copies(place, 'endpoints', 'id', users.length * (each - 1),
                      { id, owner_id: `${users[0]} + n.i % ${users.length}`, url: `replace('${url}', '#', ${id})` }));
}

let help;
/** Has the program under test this setting of `serve`? */
export const supports = (name) =>
    new RegExp(`^ +--${name}\\b`, 'm').test(help ??= execFileSync(program, ['serve', '--help'], { encoding: 'utf8' }));

/** Starts it; `counted` puts count.c before it; `clockShift` (seconds) and `pollMs` are told to that. So many `descriptors` it has if we may. */
export async function serve({ data, key, binary }, args = [], { counted = false, clockShift = 0, pollMs, descriptors } = {}) {
    const begun = process.hrtime.bigint();
    const counts = join(work, `counts-${installed++}`);
    const env = { ...process.env };
    if (counted) {
        writeFileSync(counts, Buffer.alloc(64));
        Object.assign(env, { LD_PRELOAD: join(build, 'bench/libcount.so'), BENCH_COUNTS: counts, BENCH_CLOCK_SHIFT_S: String(clockShift) });
        if (pollMs) env.BENCH_POLL_MS = String(pollMs);
    }
    const command = [binary, 'serve', '--data', data, '--listen', '127.0.0.1:0', '--dev', '--log-level', 'warn', ...args];
    if (descriptors) command.unshift('sh', '-c', `[ $(ulimit -Hn) -ge ${descriptors} ] || ulimit -n ${descriptors} 2>/dev/null; exec "$0" "$@"`);
    const child = start(command[0], command.slice(1), { env });
    let url;
    while (!url) {
        const { value, done } = await child.lines.next();
        if (done) throw new Error(`bench: the server ended: ${child.log}`);
        url = value.match(/ready: (http\S+)/)?.[1];
    }
    const server = { url, key, data, binary, pid: child.pid, port: Number(new URL(url).port) };
    await until('the first answer', async () => (await fetch(`${url}/health`).catch(() => ({}))).ok);
    server.firstAnswerMs = Number(process.hrtime.bigint() - begun) / 1e6;
    server.end = async (signal = 'SIGTERM') => {
        const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
        child.kill(signal);
        await child.ended;
        clearTimeout(late);
    };
    server.remove = async (signal) => {
        await server.end(signal);
        rmSync(data, { recursive: true });
    };
    /** { log_bytes, other_bytes, syncs } since it started. */
    server.disk = () => {
        const [bytes, fd] = [Buffer.alloc(24), openSync(counts)];
        readSync(fd, bytes, 0, 24, 0);
        closeSync(fd);
        const [log_bytes, other_bytes, syncs] = [0, 8, 16].map((at) => Number(bytes.readBigInt64LE(at)));
        if (!syncs) throw new Skip('this program does not let its writes be counted (is it linked statically?)');
        return { log_bytes, other_bytes, syncs };
    };
    return server;
}

/** The numbers of /metrics. */
export async function metrics(server) {
    const ask = () => fetch(`${server.url}/metrics`, { headers: { Authorization: server.key } });
    let response = await ask();
    for (; response.status === 429; response = await ask()) await sleep(20); /* it has a pace, whoever asks */
    const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'));
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}

export const attemptsOf = (numbers) =>
    numbers.posthorn_delivered_total + numbers.posthorn_retried_total + numbers.posthorn_given_up_total;

/** A port where nobody listens. */
export function deadPort() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

export async function makeUser(server, name, attributes = {}) {
    const user = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name, ...attributes } } });
    return { id: user.data.id, key: user.meta.api_key };
}

/* ---- what a process has used ---- */

const THREADS = [['store', /^ph-writer/], ['delivery', /^ph-engine/], ['reads', /^ph-reader/], ['api', /./]];

/** CPU of each part in microseconds, exact to the nanosecond (schedstat), with its user share (stat, in ticks). */
export function cpuOf(pid) {
    const used = Object.fromEntries(THREADS.map(([name]) => [name, { us: 0, user: 0, system: 0 }]));
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
        const task = `/proc/${pid}/task/${tid}`;
        const name = readFileSync(`${task}/comm`, 'utf8').trim();
        const stat = readFileSync(`${task}/stat`, 'utf8').split(') ').pop().split(' ');
        const part = used[THREADS.find(([, pattern]) => pattern.test(name))[0]];
        part.us += Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
        part.user += Number(stat[11]);
        part.system += Number(stat[12]);
    }
    return used;
}

/** What each part used between two readings, in microseconds per event. */
export function cpuPerEvent(before, after, events) {
    const used = { total: { us: 0, user: 0, system: 0 } };
    for (const name of Object.keys(after)) {
        const us = (after[name].us - before[name].us) / events;
        const user = after[name].user - before[name].user;
        const system = after[name].system - before[name].system;
        const share = user + system > 0 ? user / (user + system) : 0;
        used[name] = { us, user: us * share, system: us * (1 - share) };
        for (const key of Object.keys(used.total)) used.total[key] += used[name][key];
    }
    return used;
}

export const cpuUs = (pid) => sum(Object.values(cpuOf(pid)).map((part) => part.us));

export const descriptorsOf = (pid) => Number(readFileSync(`/proc/${pid}/limits`, 'utf8').match(/open files\s+(\d+)/)[1]);

export const memoryOf = (pid, what) =>
    Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`${what}:\\s+(\\d+)`))[1]) / 1024;

/* ---- what several parts do ---- */

/** Milliseconds of each of `times` calls, the shortest first. */
export async function timed(times, call) {
    const took = [];
    for (let i = 0; i < times; i++) {
        const begun = process.hrtime.bigint();
        await call(i);
        took.push(Number(process.hrtime.bigint() - begun) / 1e6);
    }
    return took.sort((a, b) => a - b);
}

/** Posts so many events and waits until the last of `copies` times as many is delivered and recorded. */
export async function throughput(server, sink, events, { copies = 1, ...options } = {}) {
    const before = cpuOf(server.pid), had = await sink.stats();
    const ran = await post(server.port, events, { key: server.key, ...options });
    const expected = had.requests + events * copies;
    const seen = await until('every event delivered', async () => {
        const now = await sink.stats();
        return now.requests >= expected && now;
    });
    await sleep(300); /* the last outcomes */
    return {
        per_second: events / ((seen.last_ns - ran.first_ns) / 1e9),
        duplicates: seen.requests - expected,
        connections: seen.connections - had.connections,
        cpu: cpuPerEvent(before, cpuOf(server.pid), events),
    };
}

/**
 * Posts at a steady rate and follows each event to the sink: waits in ms from the due time of the request to its 201
 * (`ack`) and to the arrival (`arrival`), and from the 201 to the arrival (`gap`), in the order of their due times.
 * An event that has not arrived in time is `missing`, and counts as having arrived at the end of the wait.
 */
export async function paced(server, sink, { rate, seconds: duration, patience = setting('PATIENCE', 20), ...options }) {
    await sink.reset();
    const events = Math.round(rate * duration);
    const ran = await post(server.port, events, { key: server.key, rate, record: true, secondsMax: duration + 60, ...options });
    const at = new Map(), end = Date.now() + patience * 1000;
    const wanted = new Set(ran.records.map(({ id }) => id));
    for (;;) {
        for (const [id, ns] of await sink.records()) if (wanted.has(id) && !at.has(id)) at.set(id, ns);
        if (at.size >= wanted.size || Date.now() > end) break;
        await sleep(200);
    }
    const now = Number(process.hrtime.bigint());
    const waits = ran.records.sort((a, b) => a.due - b.due).map(({ id, at: answered, due }) => {
        const arrived = at.get(id) ?? now;
        return { ack: (answered - due) / 1e6, arrival: (arrived - due) / 1e6, gap: Math.max(0, arrived - answered) / 1e6 };
    });
    return { waits, events, missing: wanted.size - at.size };
}

/** A quantile of one kind of wait, with one sample for each of three windows of the run. */
export function waitQuantile(waits, kind, q) {
    const of = (list) => quantile(list.map((wait) => wait[kind]).sort((a, b) => a - b), q);
    const third = Math.ceil(waits.length / 3);
    return { value: of(waits), samples: waits.length < 30 ? [of(waits)] : [0, 1, 2].map((i) => of(waits.slice(i * third, (i + 1) * third))) };
}

/* ---- rows ---- */

/**
 * A row of the table. `samples` are what the runs within this run gave; the value is their median unless it is given.
 * `better` is 'less' or 'more', and says what compare calls better. `aim` is a bound in that direction.
 */
export function row(key, what, unit, samples, { digits = 1, better = 'less', aim, value, note } = {}) {
    const list = Array.isArray(samples) ? samples : [samples];
    return { key, what, unit, value: value ?? median(list), samples: list, digits, better, aim, note };
}

export const waitRow = (key, what, waits, kind, q, options = {}) => {
    const { value, samples } = waitQuantile(waits, kind, q);
    return row(key, what, 'ms', samples, { value, digits: 2, ...options });
};

export const skipped = (key, what, reason) => ({ key, what, skipped: reason });
