// Events come just when the receiver closes its idle connection: all are delivered at the first attempt that counts,
// and an attempt that the close has overtaken (idle_closed) is one that the receiver has not seen.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, makeUser, post, serve, setUrl, sleep } from '../../e2e/harness.mjs';
import { enter } from '../../faults/room.mjs';
import { allDelivered, attempts, disagreements, ends, readRecord } from './record.mjs';
import { install, servers, start, tls } from './servers.mjs';

const IDLE_MS = 1000, NEAR_MS = 10, USERS = 6, RACE_MS = 12_000;
const HOSTS = Array.from({ length: USERS }, (_, i) => `10.77.0.${i + 2}`);

if (!process.env.FAULTS_ROOM) install();
const outside = await enter({ needs: ['python3'] });

const now = () => Number(process.hrtime.bigint()) / 1e6;

/*
 * `waits`: how long after its last answer a connection was closed by the receiver. `near`: closes with a request so near.
 * `crossed`: closes of a connection on which a request waited; `taken`: of these, the receiver's kernel took the request.
 */
function note(way, kind, sender, at) {
    const connection = way.connections.get(sender);
    if (kind === 'request') {
        way.connections.set(sender, { ...connection, asked: true, crossed: connection?.closed, taken: false });
        way.asked = at;
        if (connection?.closed) way.crossed++;
        if (at - way.closed <= NEAR_MS) way.near++;
    } else if (kind === 'taken' && connection) {
        if (connection.crossed && !connection.taken) way.taken++;
        connection.taken = true;
    } else if (kind === 'answer') {
        way.connections.set(sender, { answered: at });
        way.answered = at;
    } else if (kind === 'close' && connection && !connection.closed) {
        connection.closed = true;
        connection.crossed = connection.asked;
        if (!connection.asked) way.waits.push(at - connection.answered);
        else way.crossed++;
        if (connection.asked && connection.taken) way.taken++;
        if (at - way.asked <= NEAR_MS) way.near++;
        way.closed = at;
    }
}

/** The network with a delay: `way(port, host)` is all that is seen between posthorn and one listener. */
async function network(t, delay_ms) {
    const ways = new Map();
    const child = spawn('/usr/bin/python3', [fileURLToPath(new URL('delay.py', import.meta.url)), String(delay_ms)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    t.after(async () => {
        child.kill('SIGKILL');
        await ended;
    });
    const way = (port, host) => {
        const key = `${port} ${host.split('.').at(-1)}`;
        if (!ways.has(key)) ways.set(key, { answered: 0, closed: 0, asked: 0, waits: [], near: 0, crossed: 0, taken: 0, connections: new Map() });
        return ways.get(key);
    };
    let ready = false;
    createInterface({ input: child.stdout }).on('line', (line) => {
        const [kind, port, number, sender, at] = line.split(' ');
        if (kind === 'ready') ready = true;
        else note(way(port, number), kind, sender, Number(at));
    });
    await eventually('the network is there', () => ready);
    return way;
}

/* One user's events, each sent when the connection of the one before is about to be closed. */
async function race(server, user, way, waits) {
    const ids = [];
    const send = async () => {
        const before = way.answered;
        ids.push(await post(server, { user: user.user_id }));
        await eventually('an answer', () => way.answered > before);
    };
    for (let i = 0; i < 2; i++) {
        await send();
        await eventually('the receiver closes', () => way.closed > way.answered);
        waits.push(way.waits.at(-1));
    }
    for (const end = now() + RACE_MS; now() < end; ) {
        const first = Math.max(IDLE_MS, Math.min(...waits)) - NEAR_MS, last = Math.max(...waits) + NEAR_MS;
        await send();
        await sleep(way.answered + first + Math.random() * (last - first) - now());
    }
    return ids;
}

async function prepare(t, one, server, certificate, way) {
    const there = await start(t, one, { idle_ms: IDLE_MS, tls: certificate });
    const users = [];
    for (const host of HOSTS) {
        const user = await makeUser(server, host);
        await setUrl(server, there.url(host), { id: user.user_id, key: user.api_key });
        users.push({ ...user, way: way(there.port, host) });
    }
    return { one, there, users };
}

/* An attempt may fail only where the receiver's kernel took the request before the close: nobody can tell what became of it. */
function unexplained(record, way) {
    const failed = attempts(record).filter(({ counted, status }) => counted && status !== 200);
    return failed.length <= way.taken ? [] : failed.map(({ reason, duration_ms }) => `${reason} after ${duration_ms} ms`);
}

describe('events while an idle connection is closed', { ...outside }, () => {
    for (const delay_ms of [0, 25]) {
        test(`${delay_ms} ms away`, async (t) => {
            const way = await network(t, delay_ms);
            const certificate = tls(t, HOSTS);
            const server = await serve(t, { args: ['--ca-file', certificate.certificate, '--allow-target', '10.77.0.0/24', '--rate-limit', '0'] });
            const racing = await Promise.all(servers.filter(({ closes }) => !closes).map((one) => prepare(t, one, server, certificate, way)));
            const sent = await Promise.all(racing.map(({ users }) => {
                const waits = [];
                return Promise.all(users.map((user) => race(server, user, user.way, waits)));
            }));
            let hits = 0;
            for (const [i, { one, there, users }] of racing.entries()) {
                await t.test(one.name, async (t) => {
                    const records = [];
                    for (const ids of sent[i]) {
                        await allDelivered(server, ids);
                        records.push(await readRecord(server, ids));
                    }
                    const record = new Map(records.flatMap((part) => [...part]));
                    const sum = (what) => users.reduce((total, user) => total + user.way[what], 0);
                    t.diagnostic(`${ends(record)}; of the closes ${sum('near')} within ${NEAR_MS} ms of a request, ${sum('crossed')} under one, ` +
                        `${sum('taken')} when the receiver's kernel had it`);
                    hits += sum('near') + sum('crossed');
                    assert.deepEqual(disagreements(record, there.arrivals(), ['idle_closed']), []);
                    assert.deepEqual(users.flatMap((user, u) => unexplained(records[u], user.way)), []);
                });
            }
            assert.ok(hits > 0, 'no event came near a close: the race was not run');
        });
    }
});
