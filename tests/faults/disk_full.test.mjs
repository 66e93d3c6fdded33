// The disk is full, for real: the data folder is a small file system. First filled by the events themselves, up to the
// reserve; then by somebody else, to the last byte.
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, folder, initialize, makeUser, post, posthorn, receiver, serve, setUrl } from '../e2e/harness.mjs';
import { enter, sh } from './room.mjs';

const outside = await enter();
const MIB = 1024 * 1024;
const BLOAT = 'x'.repeat(20_000);

/** A file system of so many MiB. It is gone with the test. */
function small(t, mib) {
    t.after(() => sh(`umount -l ${at}`));
    const at = join(folder(t), 'disk');
    mkdirSync(at);
    sh(`mount -t tmpfs -o size=${mib}m none ${at}`);
    return at;
}

const free = (at) => {
    const { bavail, bsize } = statfsSync(at);
    return bavail * bsize;
};

/** Somebody else's file, of so many bytes, or of all there are. */
function ballast(at, bytes = Infinity) {
    const path = join(at, 'ballast'), file = openSync(path, 'a');
    const block = Buffer.alloc(64 * 1024, 7);
    try {
        for (let size = block.length, left = bytes; left > 0 && size >= 1; left -= size) {
            size = Math.min(size, left);
            try {
                writeSync(file, block, 0, size);
            } catch (error) {
                if (error.code !== 'ENOSPC') throw error;
                size = Math.floor(size / 2);
                if (size < 1) break;
                left += size;
            }
        }
    } finally {
        closeSync(file);
    }
    return () => rmSync(path);
}

const send = (server, options) => api(server, 'POST', '/api/events', eventBody(options), options);

/** Posts until there is no more room: the ids that were accepted, and the refusal. */
async function fill(server, user, mostly = 20_000) {
    const ids = [];
    for (;;) {
        const answers = await Promise.all(Array.from({ length: 8 }, () => send(server, { user, attributes: { bloat: BLOAT } })));
        for (const { status, json } of answers) if (status === 201) ids.push(json.data.id);
        const refusal = answers.find(({ status }) => status !== 201);
        if (refusal) return { ids, refusal };
        assert.ok(ids.length < mostly, 'it is a small disk');
    }
}

function assertFull({ status, headers, json, text }) {
    assert.equal(status, 507, text);
    assert.equal(json.errors[0].code, 'store_full');
    assert.match(headers.get('retry-after'), /^[1-9]\d*$/);
}

const state = async (server, id) => (await delivery(server, id)).attributes.state;
const delivered = (server, id) => eventually(`${id} delivered`, async () => (await state(server, id)) === 'delivered', 60_000);

async function metric(server, pattern) {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(metrics.match(new RegExp(`^posthorn_${pattern} (\\d+)`, 'm'))[1]);
}
const pending = (server) => metric(server, 'deliveries\\{state="pending"\\}');

async function assertReads(server, id) {
    for (const path of ['/api/events', `/api/events/${id}`, `/api/events/${id}/deliveries`, '/api/users/me', '/api/users'])
        assert.equal((await api(server, 'GET', path)).status, 200, path);
}

test('disk full: 507 while there is still room for every outcome; it heals when there is space', outside, async (t) => {
    const at = small(t, 48);
    const install = await initialize(t, join(at, 'data'));
    const remove = ballast(at, 12 * MIB);
    let open;
    const gate = new Promise((resolve) => (open = resolve));
    const held = await receiver(t, () => gate.then(() => answer(200)));
    const server = await serve(t, { install, args: ['--rate-limit', '0', '--disk-reserve', '8MiB', '--time-scale', '100'] });
    await setUrl(server, held.url);
    const { ids, refusal } = await fill(server, server.user_id);
    assertFull(refusal);
    assert.ok(ids.length > 100, `${ids.length} events fit`);
    assert.ok(held.requests.length > 0, 'some are under way');
    await assertReads(server, ids[0]);

    /* All that is under way or waiting is delivered and recorded, again and again, until no other event fits at all. */
    open();
    const all = [...ids];
    for (let more = ids; more.length > 0; all.push(...more)) {
        await eventually('none is pending', async () => (await pending(server)) === 0, 60_000);
        assert.equal(await state(server, more.at(-1)), 'delivered');
        const next = await fill(server, server.user_id);
        assertFull(next.refusal);
        more = next.ids;
    }
    assert.ok(free(at) > 0);
    assert.equal(held.requests.length, all.length, 'its outcome was recorded, so none is sent again');
    assert.deepEqual(new Set(held.requests.map(({ id }) => id)), new Set(all));
    await assertReads(server, all.at(-1));
    assert.ok(server.running, server.stderr);
    t.diagnostic(`${ids.length} events until the first 507, ${all.length} in all, ${(free(at) / MIB).toFixed(1)} MiB left`);

    remove();
    const healed = await eventually('it heals', async () => {
        const { status, json } = await send(server, {});
        return status === 201 && json.data.id;
    });
    await delivered(server, healed);
    assert.ok(server.running, 'the same process');
});

test('disk full: to the last byte, by somebody else: 507, reads go on, nobody dies, and it heals', outside, async (t) => {
    const at = small(t, 32);
    const install = await initialize(t, join(at, 'data'));
    let open;
    const gate = new Promise((resolve) => (open = resolve));
    const held = await receiver(t, () => gate.then(() => answer(200)));
    const server = await serve(t, { install, args: ['--rate-limit', '0', '--disk-reserve', '2MiB', '--time-scale', '100'] });
    await setUrl(server, held.url);
    const first = await post(server);
    await held.arrived(1);
    const remove = ballast(at);
    assert.equal(free(at), 0);
    const full = await eventually('507', async () => {
        const refusal = await send(server, {});
        return refusal.status === 507 && refusal;
    });
    assertFull(full);
    await assertReads(server, first);
    /* An answer comes that may not find room to be recorded: then it is not lost sight of. */
    open();
    for (let i = 0; i < 50; i++) assertFull(await send(server, {}));
    const refused = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: BLOAT.slice(0, 100) } } });
    assert.ok([201, 507].includes(refused.status), refused.text);
    await assertReads(server, first);
    assert.ok(server.running, server.stderr);

    remove();
    await delivered(server, first);
    const { user_id, api_key } = await makeUser(server);
    await setUrl(server, held.url, { id: user_id, key: api_key });
    const healed = await eventually('it heals', async () => {
        const { status, json } = await send(server, { user: user_id });
        return status === 201 && json.data.id;
    });
    await delivered(server, healed);
    /* However often an outcome had to be submitted until there was room for it, it is one. */
    await eventually('each delivery is counted once', async () => (await metric(server, 'delivered_total')) === 2);
    assert.ok(server.running, 'the same process');
    /* And what is on the disk is sound. */
    await server.end();
    const next = await serve(t, { install });
    assert.equal(await state(next, first), 'delivered');
    assert.equal(await state(next, healed), 'delivered');
});

test('8.12: a start on a full disk is told that, and no failed disk; it starts when there is room', outside, async (t) => {
    const at = small(t, 4);
    const install = await initialize(t, join(at, 'data'));
    const free = ballast(at);
    const { code, stderr } = await posthorn('serve', '--data', install.data, '--listen', '127.0.0.1:0');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the disk is full/);
    assert.doesNotMatch(stderr, /the disk failed/);
    free();
    await post(await serve(t, { install, args: ['--disk-reserve', '0'] }));
});

test('8.7: a backup on a disk that cannot be written is checked and restored; a folder there is no damage', outside, async (t) => {
    const install = await initialize(t);
    const server = await serve(t, { install });
    await post(server);
    const at = small(t, 4);
    const backup = join(at, 'backup');
    assert.equal((await posthorn('backup', backup, '--data', install.data)).code, 0);
    sh(`mount -o remount,ro ${at}`);
    const check = await posthorn('check', backup);
    assert.equal(check.code, 0, check.stdout + check.stderr);
    const data = join(folder(t), 'data');
    const restored = await posthorn('restore', backup, '--data', data);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal((await api(await serve(t, { install: { ...install, data } }), 'GET', '/api/events')).json.data.length, 1);
});
