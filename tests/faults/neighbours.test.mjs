// One endpoint cannot slow another, with a thousand that hang: some take the request and never answer, some drip bytes of
// a header, some do not even let a connection be made; some are new, and some have answered well before. What is asserted
// is who holds what, not how long it took.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { api, delivery, eventBody, eventually, post, receiver, serve } from '../e2e/harness.mjs';
import { enter, part, sh } from './room.mjs';

const outside = await enter();
const HOLES = 400, DRIPS = 400, WALLS = 200;
const EVENTS_EACH = 10;
const HEALTHY = 10, HEALTHY_EVENTS = 50;
const SLOTS = 4096, LEFT = SLOTS / 128;
const LONG_MS = 120_000;

/** Takes connections and requests, and never ends an answer; once `well` is false. */
async function tarpit(t, { drips = false } = {}) {
    const open = new Set(), mood = { well: false, answers: 0 };
    const server = net.createServer((socket) => {
        open.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => open.delete(socket));
        if (mood.well) {
            socket.once('data', () => {
                mood.answers++;
                socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
            });
            return;
        }
        socket.resume();
        if (drips) socket.write('HTTP/1.1 200 OK\r\nX-Drip: ');
    });
    const drip = setInterval(() => drips && open.forEach((socket) => socket.write('x')), 500);
    await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
    t.after(() => {
        clearInterval(drip);
        open.forEach((socket) => socket.destroy());
        server.close();
    });
    const { port } = server.address();
    return { port, mood, url: `http://127.0.0.1:${port}` };
}

/** Where connections are begun and never made: a cable to nobody, so that each SYN is lost. */
function wall() {
    sh('ip link add cable type veth peer name nobody && ip link set cable up && ip link set nobody up');
    sh('ip addr add 192.0.2.1/24 dev cable && ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev cable');
    return 'http://192.0.2.7';
}

async function inChunks(list, size, work) {
    const done = [];
    for (let at = 0; at < list.length; at += size) done.push(...(await Promise.all(list.slice(at, at + size).map(work))));
    return done;
}

const newUser = (server) => async (url) => {
    const made = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: 'N', webhook_url: url } } });
    assert.equal(made.status, 201, made.text);
    return made.json.data.id;
};

/** An event for each, a batch; their ids. */
async function postAll(server, users) {
    const made = await fetch(`${server.url}/api/events`, {
        method: 'POST', body: users.map((user) => JSON.stringify(eventBody({ user }))).join('\n'),
        headers: { Authorization: server.api_key, 'Content-Type': 'application/x-ndjson' },
    });
    assert.equal(made.status, 201);
    const lines = (await made.text()).trim().split('\n');
    assert.equal(lines.length, users.length);
    return lines.map((line) => JSON.parse(line).data.id);
}

/** What the program holds: { descriptors, mib }, the most of memory ever. */
function held(pid) {
    const [, kib] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+)/m);
    return { descriptors: readdirSync(`/proc/${pid}/fd`).length, mib: Number(kib) / 1024 };
}

/** How many connections to these ports are made or being made in this room, as the kernel has it on the caller's side.
 *  The caller stands still meanwhile: reading the kernel's list takes long enough for a socket that is closed and the one
 *  that takes its place to be in it both. */
function connections(pid, ports) {
    const wanted = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')));
    process.kill(pid, 'SIGSTOP');
    while (!readdirSync(`/proc/${pid}/task`).every((task) => /^State:\tT/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))));
    const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n');
    process.kill(pid, 'SIGCONT');
    return lines.filter((line) => {
        const [, , remote, state] = line.trim().split(/\s+/);
        return (state === '01' || state === '02') && wanted.has(remote.split(':')[1]);
    }).length;
}

test('8.2: a thousand endpoints hang, proven and new, and every event of the healthy ones is delivered meanwhile', outside, async (t) => {
    const holes = await tarpit(t), drips = await tarpit(t, { drips: true }), there = await receiver(t);
    const server = await serve(t, { args: ['--rate-limit', '0', '--slots', String(SLOTS), '--allow-target', '192.0.2.0/24'] });
    const urls = [
        ...Array(HOLES).fill(holes.url), ...Array(DRIPS).fill(drips.url), ...Array(WALLS).fill(wall()),
    ].map((url, at) => `${url}/${at}`);
    const bad = await inChunks(urls, 32, newUser(server));
    const healthy = await inChunks(Array.from({ length: HEALTHY }, (_, at) => `${there.url}/h${at}`), 32, newUser(server));
    /* They are known: each has answered once. */
    await inChunks(healthy, 32, (user) => post(server, { user }));
    await there.arrived(HEALTHY);
    /* So have half of those that will hang. */
    holes.mood.well = true;
    await postAll(server, bad.slice(0, HOLES));
    await eventually('they have answered', () => holes.mood.answers === HOLES, LONG_MS);
    holes.mood.well = false;
    const quiet = held(server.pid);

    for (let i = 0; i < EVENTS_EACH; i++) await postAll(server, bad);
    const bads = () => connections(server.pid, [holes.port, drips.port, 80]);
    await eventually('they hold what they can get', () => bads() >= SLOTS / 2, LONG_MS);

    let most = 0, descriptors = 0, least = Infinity;
    const look = () => {
        most = Math.max(most, bads());
        descriptors = Math.max(descriptors, held(server.pid).descriptors);
    };
    const events = Array.from({ length: HEALTHY_EVENTS }, () => healthy).flat();
    const ids = await inChunks(events, 25, async (user) => {
        look();
        return post(server, { user });
    });
    const seen = new Set();
    let read = 0;
    const arrived = (id) => {
        while (read < there.requests.length) seen.add(there.requests[read++].id);
        return seen.has(id);
    };
    await eventually('every healthy event', () => (look(), ids.every(arrived)), LONG_MS);
    await eventually('on record', async () => {
        look();
        least = Math.min(least, bads());
        return (await delivery(server, ids.at(-1))).attributes.state === 'delivered';
    });
    const number = async (name) => Number((await (await fetch(`${server.url}/metrics`)).text())
        .match(new RegExp(`^posthorn_${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm'))[1]);
    await eventually('all of the healthy are on record, and of the others none has ended', async () =>
        (await number('deliveries{state="pending"}')) === bad.length * EVENTS_EACH);
    /* Whom nobody knows yet waits behind none of them either. */
    await eventually('each has failed once', async () => (look(), (await number('retried_total')) >= bad.length), LONG_MS);
    for (let i = 0; i < 5; i++) {
        const late = await post(server, { user: await newUser(server)(`${there.url}/new${i}`) });
        await eventually('the newcomer', () => (look(), arrived(late)), LONG_MS);
    }
    least = Math.min(least, bads());
    assert.ok(least > 0, 'and they still hang');
    /* Those that had answered well may draw on the reserve until they are seen to hang; and yet some are always free. */
    assert.ok(most <= SLOTS - LEFT, `those that hang hold ${most} of ${SLOTS} slots`);
    assert.ok(descriptors <= quiet.descriptors + SLOTS + HEALTHY * 64 + 64, `${descriptors} descriptors`);
    assert.ok(held(server.pid).mib < 400, `${held(server.pid).mib} MiB`);
    t.diagnostic(`${most} slots held by those that hang, ${descriptors} descriptors, ${held(server.pid).mib.toFixed(0)} MiB at most`);
});

/** The bench's receivers, in a process of their own: { url, requests(), say(command) }. */
async function sink(t) {
    const child = spawn(part('../../bench/sink'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const port = (await lines.next()).value;
    const say = async (command) => {
        child.stdin.write(`${command}\n`);
        return JSON.parse((await lines.next()).value);
    };
    return { url: `http://127.0.0.1:${port}`, say, requests: async () => (await say('stats')).requests };
}

/* Nobody reads a clock here but the server: how many attempts of the others began while an event of the healthy endpoint,
 * accepted already, had not begun its own? All six thousand if it waits behind them. */
test('8.2: 2,000 endpoints begin to hang, new and proven, and a healthy one\'s events go before most of what theirs begin', outside, async (t) => {
    const PROVEN = 1000, NEW = 1000, EACH = 3, ALL = (PROVEN + NEW) * EACH;
    const crowd = await sink(t), well = await sink(t);
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const users = await inChunks(Array.from({ length: PROVEN + NEW }, (_, at) => `${crowd.url}/switch/${at}`), 32, newUser(server));
    const healthy = await newUser(server)(`${well.url}/healthy`);
    const tens = (list) => Array.from({ length: list.length / 100 }, (_, at) => list.slice(100 * at, 100 * at + 100));
    for (const some of tens(users.slice(0, PROVEN))) await postAll(server, some);
    for (let i = 0; i < 20; i++) await post(server, { user: healthy });
    await eventually('they have answered', async () => (await crowd.requests()) === PROVEN && (await well.requests()) === 20, LONG_MS);
    await crowd.say('switch hang');

    const accepted = [];
    const give = async (some) => {
        const ids = await postAll(server, [...some, healthy]);
        accepted.push({ id: ids.at(-1), at: Date.now() });
    };
    await Promise.all(Array.from({ length: EACH }, async () => {
        for (const some of tens(users)) await give(some);
    }));
    for (let i = 0; i < 40; i++) await give([]);
    await eventually('all are on record', async () => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        return Number(text.match(/^posthorn_retried_total (\d+)/m)[1]) >= ALL;
    }, LONG_MS);

    const firsts = (where) => sh(`sqlite3 -json ${server.data}/posthorn.db 'SELECT CAST(event_id AS TEXT) AS id, first_attempt_at AS at FROM deliveries WHERE ${where}'`);
    const others = JSON.parse(firsts(`endpoint_id <> ${healthy} AND last_status = 0`)).map(({ at }) => at);
    const own = new Map(JSON.parse(firsts(`endpoint_id = ${healthy}`)).map(({ id, at }) => [id, at]));
    const before = accepted.map(({ id, at }) => others.filter((other) => other > at && other < own.get(id)).length).sort((a, b) => a - b);
    const most = before[Math.floor(before.length * 0.75)];
    assert.equal(others.length, ALL);
    t.diagnostic(`of ${before.length} events half went before all but ${before[before.length / 2]} attempts of others, three quarters before all but ${most}, each before all but ${before.at(-1)}`);
    assert.ok(most <= ALL / 10, `a quarter waited for more than ${most} attempts of others`);
});
