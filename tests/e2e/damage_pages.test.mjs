// Item 8.12, pages: a damaged page that a write meets ends writing and delivering, and nothing else. Reads go on, everybody is told, and a
// sound file is all that is needed to go on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, folder, initialize, launch, post, posthorn, receiver, serve, setUrl, sleep } from './harness.mjs';

const PAGE = 4096;
const sql = (data, text) => execFileSync('sqlite3', [join(data, 'posthorn.db'), text], { encoding: 'utf8' }).trim();
const rootOf = (data, name) => Number(sql(data, `SELECT rootpage FROM sqlite_schema WHERE name = '${name}'`));

/** Turns a page of the database into none of any kind; the function that is returned mends it. */
function damagePage(data, page) {
    const path = join(data, 'posthorn.db'), was = readFileSync(path).subarray((page - 1) * PAGE, page * PAGE);
    const put = (bytes) => {
        const file = openSync(path, 'r+');
        writeSync(file, bytes, 0, bytes.length, (page - 1) * PAGE);
        closeSync(file);
    };
    put(Buffer.from([0xee]));
    return () => put(was);
}

/** A server that ended well: what was sent is delivered, the rest waits; `status` is what the receiver answers then. */
async function filled(t, events = 60) {
    const there = await receiver(t, async () => answer(await there.status)), install = await initialize(t);
    there.status = 200;
    const server = await serve(t, { install });
    await setUrl(server, there.url);
    for (let i = 0; i < events; i++) await post(server, { resource: { type: 'users', id: `${i}` }, headers: { 'Idempotency-Key': `key ${i}` } });
    await there.arrived(events);
    there.status = 500;
    await post(server);
    await there.arrived(events + 1);
    assert.equal((await server.end()).code, 0);
    sql(install.data, 'PRAGMA wal_checkpoint(TRUNCATE)');
    there.status = 200;
    return { install, there, events };
}

const refused = async (server) => {
    const { status, json, headers } = await api(server, 'POST', '/api/events', eventBody());
    assert.equal(status, 503);
    assert.equal(json.errors[0].code, 'store_damaged');
    assert.match(json.errors[0].detail, /posthorn check/);
    assert.ok(Number(headers.get('Retry-After')) > 0);
};

async function saysSo(server) {
    const { status, json } = await api(server, 'GET', '/health');
    assert.equal(status, 503);
    assert.match(json.meta.store, /damaged.*posthorn check/);
    assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^posthorn_store_stopped 1$/m);
    assert.equal(server.stderr.match(/nothing is written or delivered any more/g).length, 1);
}

test('8.12: a page that an outcome meets: nothing more is accepted or sent, the rest is read, and a mended file goes on', async (t) => {
    const { install, there, events } = await filled(t);
    const mend = damagePage(install.data, rootOf(install.data, 'attempts'));
    const server = await serve(t, { install });
    const sent = await post(server);
    await eventually('its outcome meets the page', async () => (await api(server, 'GET', '/health')).status === 503);
    for (let i = 0; i < 20; i++) await refused(server);
    const batch = await api(server, 'POST', '/api/events', `${JSON.stringify(eventBody())}\n`, { headers: { 'Content-Type': 'application/x-ndjson' } });
    assert.equal(batch.json.errors[0].code, 'store_damaged');
    await saysSo(server);
    assert.equal((await api(server, 'GET', '/api/events')).status, 200);
    assert.equal((await api(server, 'GET', `/api/events/${sent}`)).status, 200);
    const unread = await api(server, 'GET', `/api/deliveries/${(await delivery(server, sent)).id}/attempts`);
    assert.equal(unread.status, 503);
    assert.equal(unread.json.errors[0].code, 'store_damaged');
    const arrived = there.requests.length;
    await sleep(2500); /* an outcome that cannot be recorded was tried again each second */
    assert.equal(there.requests.length, arrived);
    assert.ok(there.of(sent).length === 1);
    assert.ok(server.running);
    assert.ok(server.stderr.split('\n').length < 40, server.stderr);
    const found = await posthorn('check', install.data);
    assert.equal(found.code, 1);
    assert.match(found.stdout, /Page \d+: /);
    assert.equal((await server.end()).code, 0);

    mend();
    const sound = await posthorn('check', install.data);
    assert.equal(sound.code, 0, sound.stdout);
    const again = await serve(t, { install });
    await eventually('what was sent is sent again, and recorded', async () => (await delivery(again, sent)).attributes.state === 'delivered');
    assert.equal(there.of(sent).length, 2);
    await post(again);
    assert.equal((await api(again, 'GET', '/health')).status, 200);
    assert.ok(there.requests.length >= events + 3);
    assert.equal((await again.end()).code, 0);
});

test('8.12: what waits when nothing can be recorded any more is not sent', async (t) => {
    const { install, there, events } = await filled(t);
    const held = [];
    there.status = new Promise((resolve) => held.push(resolve));
    damagePage(install.data, rootOf(install.data, 'attempts'));
    const server = await serve(t, { install, args: ['--endpoint-connections', '1'] });
    for (let i = 0; i < 8; i++) await post(server);
    await there.arrived(events + 2);
    there.release = () => held.splice(0).forEach((resolve) => resolve(200));
    const first = held.splice(0);
    there.status = new Promise((resolve) => held.push(resolve));
    first.forEach((resolve) => resolve(200));
    await eventually('the first outcome meets the page', async () => (await api(server, 'GET', '/health')).status === 503);
    there.release(); /* the one that was sent meanwhile */
    await sleep(500);
    assert.ok(there.requests.length <= events + 3, `${there.requests.length - events - 1} of 8 were sent`);
    assert.equal((await server.end()).code, 0);
});

test('8.12: a page that only the purge meets is told without a request that writes', async (t) => {
    const { install } = await filled(t);
    damagePage(install.data, rootOf(install.data, 'attempts'));
    const server = await serve(t, { install, args: ['--retention', '1s', '--retention-attempts', '1s'] });
    await eventually('the purge meets it', async () => (await api(server, 'GET', '/health')).status === 503);
    await refused(server);
    await saysSo(server);
    assert.equal((await api(server, 'GET', '/api/users')).status, 200);
    assert.equal((await server.end()).code, 0);
});

test('8.12: a page that the start meets: it is refused, and a restored backup goes on', async (t) => {
    const { install, there } = await filled(t);
    const backup = join(folder(t), 'backup');
    assert.equal((await posthorn('backup', backup, '--data', install.data)).code, 0);
    damagePage(install.data, rootOf(install.data, 'deliveries_queue'));
    const { code, stderr } = await posthorn('serve', '--data', install.data, '--listen', '127.0.0.1:0');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /damaged.*posthorn check/);
    assert.equal((await posthorn('restore', backup, '--data', install.data, '--replace')).code, 0);
    const server = await serve(t, { install });
    const fresh = await post(server);
    await eventually('delivered', async () => (await delivery(server, fresh)).attributes.state === 'delivered');
    assert.equal(there.of(fresh).length, 1);
    assert.equal((await server.end()).code, 0);
});

/** A server's life on a file: it refuses to start and says why, or runs to its end. */
async function life(t, data, install, there, what) {
    const server = launch(t, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev', '--retention', '1s']);
    await eventually(`${what} starts or not`, () => !server.running || /ready: http/.test(server.stdout));
    if (server.running) {
        Object.assign(server, { ...install, url: server.stdout.match(/ready: (http\S+)/)[1] });
        for (let i = 0; i < 3; i++) {
            const { status } = await api(server, 'POST', '/api/events', eventBody({ resource: { type: 'users', id: `${i}` } }), { headers: { 'Idempotency-Key': `key ${i} of ${Math.random()}` } });
            assert.ok([201, 401, 403, 404, 503, 507].includes(status), `${what}: ${status}`);
        }
        for (const path of ['/api/events', '/api/users', '/api/api_keys', '/health', '/metrics', '/api/events?filter[undelivered]=true'])
            assert.ok((await api(server, 'GET', path)).status < 600, `${what}: ${path}`);
        await sleep(100);
        await server.end();
    }
    const { code, signal } = await server.ended;
    assert.ok(code === 0 || ([1, 6].includes(code) && !/ready: http/.test(server.stdout)), `${what}: ${code} ${signal}: ${server.stderr}`);
    return code;
}

test('8.12: whatever byte of a page or of the log is flipped: a server that runs, or a start that is refused', async (t) => {
    const { install, there } = await filled(t);
    const killed = await serve(t, { install });
    for (let i = 0; i < 20; i++) await post(killed);
    await killed.end('SIGKILL'); /* with a log */
    const sound = install.data, codes = {};
    const seeds = Number(process.env.FLIP_SEEDS ?? 24), first = Number(process.env.FLIP_FIRST ?? 1);
    for (let seed = first; seed < first + seeds; seed++) {
        let random = seed;
        const next = (below) => ((random = (Math.imul(random, 1664525) + 1013904223) >>> 0) >>> 8) % below;
        const data = join(folder(t), 'data');
        cpSync(sound, data, { recursive: true });
        rmSync(join(data, 'posthorn.db-shm'), { force: true });
        const path = join(data, `posthorn.db${seed % 4 === 0 ? '-wal' : ''}`), bytes = readFileSync(path);
        for (let flips = 1 + next(3); flips > 0; flips--) {
            const at = next(bytes.length / PAGE | 0) * PAGE + next(next(2) ? 12 : PAGE); /* a page's head, or anywhere */
            bytes[at] ^= 1 + next(255);
        }
        writeFileSync(path, bytes);
        for (let i = 0; i < 2; i++) {
            const code = await life(t, data, install, there, `seed ${seed}, life ${i}`);
            codes[code] = (codes[code] ?? 0) + 1;
        }
        rmSync(data, { recursive: true });
    }
    t.diagnostic(JSON.stringify(codes));
});
