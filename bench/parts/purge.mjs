// The purge: old events whose deliveries have ended go, and events that wait stay. The old events come from a server
// whose clock is days behind.
//
// BENCH_PURGE_EVENTS=60000 BENCH_PURGE_OWNERS=1000 BENCH_PURGE_SECONDS=15 at most for each of two runs
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { addUsers, BATCH_LINES, body, count, cpuUs, deadPort, install, metrics, post, progress, row, seconds, serve, Skip, sleep, startSink, supports,
         until } from '../rig.mjs';

export const what = 'purge';
const DAYS_S = 3 * 86_400;

function retention() {
    if (supports('retention-days')) return ['--retention-days', '1'];
    if (supports('retention')) return ['--retention', '1d'];
    throw new Skip('this program has neither retention-days nor retention');
}

async function purge(key, text, events, percentWaiting) {
    const options = retention(), sink = await startSink();
    const place = install(), owners = count('PURGE_OWNERS', 1000, 5);
    const users = addUsers(place, `${sink.url}/e/#`, owners);
    const stuck = percentWaiting ? addUsers(place, `http://127.0.0.1:${await deadPort()}/#`, 1) : [];
    const old = await serve(place, [], { counted: true, clockShift: -DAYS_S });
    const waiting = Math.ceil((events * percentWaiting) / 100);
    const batch = Math.min(BATCH_LINES, events);
    /* In turns, so that those that wait stand among the others. */
    const list = percentWaiting ? Array.from({ length: 100 }, (_, i) => (i < percentWaiting ? stuck[0] : users[i % owners])) : users;
    await post(old.port, events / batch, { key: old.key, users: list, inTurn: !!percentWaiting, batch, connections: 8, file: body({ mark: true }) });
    await until('every event delivered', async () => (await sink.stats()).requests >= events - waiting);
    await sleep(500);
    await old.end();
    const file = join(place.data, 'posthorn.db'), bytes = statSync(file).size;
    const server = await serve(place, options, { counted: true, pollMs: 500 });
    const count_of = async () => (await metrics(server)).posthorn_events;
    const at = [[Date.now(), await count_of()]], cpu = cpuUs(server.pid), disk = server.disk();
    await until('the purge begins', async () => (await count_of()) < at[0][1], 75);
    const begun = Date.now();
    let now;
    do {
        await sleep(100);
        now = await count_of();
    } while (now > waiting && Date.now() < begun + seconds('PURGE_SECONDS', 15) * 1000);
    const took = (Date.now() - begun) / 1000, gone = at[0][1] - now;
    const used = (cpuUs(server.pid) - cpu) / gone, log = (server.disk().log_bytes - disk.log_bytes) / gone / 1000;
    /* As many again must find the room that has become free. */
    const { requests: had } = await sink.stats();
    await post(server.port, events / batch, { key: server.key, users, batch, connections: 8, file: body({ mark: true }) });
    await until('every event delivered again', async () => (await sink.stats()).requests >= had + events);
    await sleep(500);
    await server.end();
    const again = statSync(file).size;
    rmSync(place.data, { recursive: true });
    await sink.end();
    return [row(`${key}.rate`, `purge, ${text}`, 'events/s', gone / took, { digits: 0, better: 'more', aim: 20_000, note: `${gone} of ${events - waiting} in ${took.toFixed(1)} s` }),
            row(`${key}.cpu`, '    CPU an event', 'us', used, { aim: 8 }),
            row(`${key}.log`, '    log an event', 'KB', log, { digits: 2 }),
            row(`${key}.file`, '    database after as many again, of before', 'x', again / bytes, { digits: 2, note: `${Math.round(bytes / 1e6)} MB before` })];
}

export async function run() {
    const events = count('PURGE_EVENTS', 60_000, 200), owners = count('PURGE_OWNERS', 1000, 5);
    progress('    all of it');
    const rows = await purge('purge', `${owners} owners`, events, 0);
    progress('    beside 1 % that waits');
    rows.push(...await purge('purge_waiting', 'beside 1 % that waits', events, 1));
    return rows;
}
