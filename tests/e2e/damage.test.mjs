// Item 8.12: bytes from the disk are not trusted. Damaged rows are shown as such, given up, and end nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventually, initialize, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const sql = (data, text) => execFileSync('sqlite3', [join(data, 'posthorn.db'), text], { encoding: 'utf8' });

/** Events 0 to 4 are delivered, 5 and 6 wait; nobody runs on it. */
async function filled(t) {
    let status = 200;
    const there = await receiver(t, () => answer(status));
    const install = await initialize(t);
    const server = await serve(t, { install });
    await setUrl(server, there.url);
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push(await post(server));
    await there.arrived(5);
    status = 500;
    for (let i = 0; i < 2; i++) ids.push(await post(server));
    await eventually('all tried', async () => (await delivery(server, ids[6])).attributes.attempt_count === 1
        && (await delivery(server, ids[5])).attributes.attempt_count === 1);
    await server.end();
    return { install, ids, there };
}

test('8.12: check finds nothing in what users do with endpoints', async (t) => {
    const { install } = await filled(t);
    const server = await serve(t, { install, args: ['--rate-limit', '0'] });
    const endpoint = (attributes) => ({ data: { type: 'endpoints', attributes } }), since = '2000-01-01T00:00:00Z';
    const attributes = { url: 'http://127.0.0.1:1024/', headers: { 'X-A': 'b' }, auth: { type: 'bearer', token: 'secret' }, metadata: { a: 'b' },
        filter: { data: { type: ['events'] } }, event_types: ['*'], channels: [], retry: { schedule: [5] }, success: '2xx', timeout: 5, signatures: ['rfc9421', 'slack'] };
    for (const status of ['active', 'paused', 'removed']) {
        const { json, text } = await api(server, 'POST', '/api/endpoints', endpoint(attributes));
        assert.ok(json.data, text);
        const path = `/api/endpoints/${json.data.id}`;
        const does = async (wanted, ...request) => { const answer = await api(server, ...request); assert.equal(answer.status, wanted, answer.text); };
        await does(201, 'POST', `${path}/ping`);
        await does(201, 'POST', `${path}/signing_secrets`, { data: { type: 'signing_secrets', attributes: {} } });
        for (const kind of ['replay', 'recover', 'backfill']) await does(201, 'POST', `${path}/${kind}`, { data: { type: 'jobs', attributes: { since } } });
        await post(server);
        if (status === 'paused') await does(200, 'PATCH', path, { data: { type: 'endpoints', id: json.data.id, attributes: { status } } });
        if (status === 'removed') await does(204, 'DELETE', path);
    }
    await server.end();
    const found = await posthorn('check', install.data);
    assert.equal(found.code, 0, found.stdout);
});

test('8.12: damaged documents, stamps, names, times and numbers: the rest is served, check names them', async (t) => {
    const { install, ids } = await filled(t);
    const data = install.data;
    assert.equal((await posthorn('check', data)).code, 0);
    sql(data, `UPDATE events SET document = cast(replace(document, '{"data"', '{"dbta"') AS BLOB) WHERE id = ${ids[0]};`
        + `UPDATE events SET stamp_offset = 4000000000 WHERE id = ${ids[1]};`
        + `UPDATE events SET document = x'', event_type = x'ff00fe', received_at = 9223372036854775807 WHERE id = ${ids[2]};`
        + `UPDATE deliveries SET state = 77, attempt = -5, lease = -1, last_reason = 'nobody knows' WHERE event_id = ${ids[3]};`
        + `UPDATE attempts SET failure = 'nobody knows', flags = -1, started_at = -9223372036854775807, status = 99999999999;`
        + `UPDATE users SET name = x'ff', role = 7 WHERE id = 99; UPDATE endpoints SET identity = x'00' WHERE id = 99;`
        + `UPDATE events SET stamp_offset = -1 WHERE id = ${ids[5]}; DELETE FROM events WHERE id = ${ids[6]};`
        + 'UPDATE deliveries SET due_at = 0 WHERE queue IS NOT NULL;'
        + "UPDATE state SET due_clock_ms = 9223372036854775807, event_id_max = 3, delivery_id_max = 9;");
    const found = await posthorn('check', data);
    assert.equal(found.code, 1);
    for (const id of [ids[0], ids[1], ids[2], ids[5]])
        assert.match(found.stdout, new RegExp(`events ${id}: the document is damaged`));
    assert.match(found.stdout, /deliveries \d+: the delivery's state/);
    assert.match(found.stdout, /deliveries \d+: the delivery's event or endpoint is missing/);

    const server = await serve(t, { install });
    const list = await api(server, 'GET', '/api/events');
    assert.equal(list.status, 200);
    const shown = new Map(list.json.data.map((event) => [event.id, event]));
    for (const id of [ids[0], ids[1], ids[2], ids[5]]) assert.ok(shown.get(id).meta.damaged, id);
    assert.equal(shown.get(ids[4]).attributes.event_type, 'user_enabled');
    for (const id of ids.slice(0, 6)) {
        assert.equal((await api(server, 'GET', `/api/events/${id}`)).status, 200);
        const { json } = await api(server, 'GET', `/api/events/${id}/deliveries`);
        for (const one of json.data) await api(server, 'GET', `/api/deliveries/${one.id}?include=event,event.resource,attempts`);
    }
    await eventually('what cannot be sent is given up', async () =>
        (await delivery(server, ids[5])).attributes.last_reason === 'damaged');
    assert.match(server.stderr, /an event is damaged and cannot be sent/);
    const fresh = await post(server);
    assert.ok(!ids.includes(fresh));
    assert.ok(server.running);
    assert.equal((await server.end()).code, 0);
});

test('8.12: a database without its state, or that is none, is refused and not begun anew', async (t) => {
    const { data } = await initialize(t);
    sql(data, 'DELETE FROM state');
    const { code, stderr } = await posthorn('serve', '--data', data, '--listen', '127.0.0.1:0');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the database is damaged/);
    assert.doesNotMatch(stderr, /disk failed/);
});

test('8.12: whatever byte of the tables\' definitions is damaged, it is no failed disk', async (t) => {
    const { data } = await initialize(t);
    const file = join(data, 'posthorn.db'), sound = readFileSync(file);
    const length = sound.readUInt16BE(16);
    for (let at = 100; at < length; at += 31) {
        const damaged = Buffer.from(sound);
        damaged[at] ^= 1 << at % 8;
        writeFileSync(file, damaged);
        for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
        const { code, stderr } = await posthorn('keys', 'new', '--data', data);
        assert.ok(code === 0 || code === 1, `byte ${at}: ${code}`);
        assert.doesNotMatch(stderr, /disk failed/, `byte ${at}`);
    }
});

test('8.12: rows that wait and cannot be had: the others are delivered, and the writer is idle', async (t) => {
    let status = 500;
    const there = await receiver(t, () => answer(status));
    const install = await initialize(t);
    let server = await serve(t, { install });
    await setUrl(server, there.url);
    const ids = [];
    for (let i = 0; i < 9; i++) ids.push(await post(server));
    await eventually('it fails', async () => (await delivery(server, ids[0])).attributes.attempt_count >= 1);
    const made = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: 'N', webhook_url: there.url } } });
    await post(server, { user: made.json.data.id });
    await server.end();
    const one = (at) => `WHERE event_id = ${ids[at]}`;
    sql(install.data, `UPDATE deliveries SET due_at = 0 WHERE queue IS NOT NULL; DELETE FROM events WHERE id = ${ids[0]};`
        + `UPDATE deliveries SET queue = 4242 ${one(1)}; UPDATE deliveries SET due_at = 'x' ${one(2)};`
        + `UPDATE deliveries SET lease = 'x' ${one(3)}; UPDATE deliveries SET state = 99 ${one(4)};`
        + `UPDATE deliveries SET event_id = 'x' ${one(5)}; UPDATE deliveries SET state = 2 ${one(6)};`
        + `UPDATE deliveries SET due_at = x'00', attempt = 'x', lost = 'x', aged_from = -9223372036854775808 ${one(7)};`
        + `UPDATE endpoints SET url = randomblob(1048576) WHERE id = ${made.json.data.id};`
        + "INSERT INTO owned VALUES ('x', 1, 1); UPDATE state SET followed_to = 0;");
    const found = await posthorn('check', install.data);
    assert.equal(found.code, 1);
    assert.match(found.stdout, /the delivery's state, lease or attempts are damaged/);

    status = 200;
    server = await serve(t, { install });
    const fresh = await post(server);
    for (const id of [ids[2], ids[3], ids[7], ids[8], fresh])
        await eventually(`${id} is delivered`, async () => (await delivery(server, id)).attributes.state === 'delivered');
    for (const id of [ids[4], ids[6]]) assert.equal((await delivery(server, id)).attributes.state, 'given_up');
    /* A batch that finds nothing to do is none; each of a loop would be counted. */
    const batches = async () => Number((await (await fetch(`${server.url}/metrics`)).text()).match(/^posthorn_queue_batches_total (\d+)/m)[1]);
    const before = await batches();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(await batches() - before < 50, `${await batches() - before} batches`);
    assert.equal((await api(server, 'GET', '/api/events')).status, 200);
    assert.equal((await api(server, 'GET', '/api/users')).status, 200);
    assert.equal((await server.end()).code, 0);
});

test('8.12: keys, URLs, sealed blobs, resources and counters that nobody wrote: every route answers, check names them', async (t) => {
    const { install, ids } = await filled(t);
    const data = install.data;
    assert.equal((await posthorn('check', data)).code, 0);
    sql(data, "INSERT INTO users SELECT 70, 0, master_id, x'ff00fe', x'80', 0, 1, 'when', -1, x'ff' FROM users LIMIT 1;"
        + "INSERT INTO endpoints (id, owner_id, url, disable_on_410, paused, event_types, channels, filter, description, metadata, signing, identity, version, created_at,"
        + " updated_at, in_flight_max, rate_count, rate_per, ordered, signatures, disabled, disable_after, paused_at, format, success, timeout, retry, header_names, headers, auth, auth_secret) VALUES (70, 70, x'ff3a', 0, 0, x'ff20', 7, '{', x'ff', 'b', x'ff', x'01', 1, 'when', -1, 1 << 40, 'often', -1, 7, x'ff', 'why', 999, 'then', 99, x'ff', 'soon', 'never', x'ff', x'00', x'ff', x'00');"
        + "INSERT INTO endpoints (id, owner_id, disable_on_410, paused, signing, identity, version) VALUES (71, 4711, 0, 0, x'', x'', 1);"
        + "INSERT INTO api_keys VALUES (9970, 70, 'nobody''s digest', x'ff', 'no network', 1 << 60, -3, -1, NULL);"
        + "INSERT INTO resources VALUES (70, 'payments', 'bad', 'one', 'when', x'7b22ff', NULL);"
        + "INSERT INTO usage VALUES (70, 'much', 'many'); INSERT INTO owned VALUES (70, -3, 'much');"
        + "INSERT INTO ended_late VALUES ('when', 'which'); INSERT INTO idempotency_entries VALUES (7, x'00'); INSERT INTO failing VALUES (4242, -1, 'when'); INSERT INTO notices VALUES (4242, 9, -1, 'when', 7); INSERT INTO endpoint_hours VALUES (7, 4242, -1, 'many', 0, 0, 0, x'01'), (9, 5, 1, 1, 0, 0, 0, x'ff01'); INSERT INTO requests VALUES (3, 5, x'', x'00', -1, '', 'when'); INSERT INTO jobs VALUES (3, 5, 5, 7, 0, 'when', -1, 9, x'00', '', '', 0, 0, 0, -1, 0, 0, 0, 0); INSERT INTO idempotency_runs VALUES (9, 0, 99, 0, 0, 0, 0);"
        + `UPDATE events SET idempotency_key = x'6b', request_digest = x'00', requester_id = 5 WHERE id = ${ids[1]}; UPDATE state SET idempotency_to = event_id_max;`
        + `UPDATE events SET snapshot_at = 1 << 40, snapshot_len = 1 << 40 WHERE id = ${ids[0]};`);
    const found = await posthorn('check', data);
    assert.equal(found.code, 1);
    for (const row of ['users 70', 'endpoints 70', 'endpoints 71', 'api_keys 9970', 'resources payments bad', 'usage 70', 'owned 70 -3', 'ended_late which', 'failing 4242', 'notices 4242 9', 'endpoint_hours 7 4242', 'endpoint_hours 9 5', 'idempotency_entries 7', 'requests 3', 'jobs 3', 'idempotency_runs 9',
        `events ${ids[0]}`, `events ${ids[1]}`])
        assert.ok(found.stdout.includes(`${row}: `), `${row} in ${found.stdout}`);
    assert.ok(found.stdout.includes(`events ${ids[1]}: its Idempotency-Key is not found`), found.stdout);
    const server = await serve(t, { install });
    for (const path of ['/api/users', '/api/users/70', '/api/api_keys', '/api/events', '/api/users/70/api_keys', '/api/payments?filter[user]=70',
        '/api/payments/bad', '/api/endpoints/5/stats', '/api/endpoints/70/stats', '/api/meta', '/health', '/metrics', `/api/events/${ids[0]}?include=resource`])
        assert.ok((await api(server, 'GET', path)).status < 600, path);
    assert.equal((await api(server, 'GET', '/api/users')).status, 200);
    assert.equal((await api(server, 'GET', `/api/events/${ids[4]}`)).status, 200);
    await post(server);
    assert.ok(server.running);
    assert.equal((await server.end()).code, 0);
});

test('8.12: check names every column that holds what its type does not, and every row that leads nowhere', async (t) => {
    const { install, ids } = await filled(t);
    const { data } = install;
    const file = join(data, 'posthorn.db'), sound = join(data, 'sound.db');
    sql(data, "INSERT INTO idempotency_runs VALUES (1, 0, 0, 1, 0, 0, 0); INSERT INTO idempotency_entries VALUES (1 << 32, x'');"
        + "INSERT INTO requests VALUES (1, 5, x'6b', zeroblob(32), 5, '', 1700000000000); INSERT INTO jobs VALUES (1, 5, 5, 0, 1, 0, 0, 0, '', '', '', 0, 0, 1, 0, 0, -1, 1700000000000, 1700000000000); INSERT OR REPLACE INTO failing VALUES (5, 1, 2); INSERT OR REPLACE INTO notices VALUES (5, 0, 1, 1, 0); INSERT OR REPLACE INTO endpoint_hours VALUES (473000, 5, 1, 1, 0, 0, 0, x'0301')");
    copyFileSync(file, sound);
    const damaged = async (change, pattern) => {
        copyFileSync(sound, file);
        sql(data, change);
        const { code, stdout } = await posthorn('check', data);
        assert.equal(code, 1, change);
        assert.match(stdout, pattern, change);
    };
    const columns = sql(data, "SELECT m.name || ' ' || c.name || ' ' || c.type FROM sqlite_master m, pragma_table_info(m.name) c"
        + " WHERE m.type = 'table' AND c.pk = 0 AND m.name NOT IN ('ended_late', 'owned', 'resources', 'usage')").trim().split('\n');
    assert.ok(columns.length > 50, columns.join());
    for (const column of columns) {
        const [table, name, type] = column.split(' ');
        await damaged(`UPDATE ${table} SET ${name} = ${type === 'BLOB' ? "'words'" : "x'00ff'"}`,
            new RegExp(`^${table} .*: ${name} has a value that no server writes`, 'm'));
    }
    for (const [change, pattern] of [
        ["UPDATE users SET name = cast(x'ff' AS TEXT)", /users 5: name has a value/],
        ["UPDATE users SET created_at = 9223372036854775807", /users 5: created_at has a value/],
        ["UPDATE api_keys SET allow_from = 'anywhere'", /api_keys 1: allow_from has a value/],
        ["UPDATE attempts SET failure = 'nobody knows'", /attempts \d+: failure has a value/],
        ['UPDATE users SET master_id = 4711', /users 5: the user's Master is missing/],
        ['UPDATE attempts SET id = 1 WHERE id = (SELECT max(id) FROM attempts)', /attempts 1: .*its delivery is missing/],
        ['UPDATE idempotency_entries SET id = 2 << 32', /idempotency_entries \d+: .*of no run/],
        ["UPDATE events SET idempotency_key = x''", /events \d+: the event's Idempotency-Key is none/],
        [`UPDATE deliveries SET queue = NULL WHERE event_id = ${ids[6]}`, /deliveries \d+: .*it would never be sent/],
        ["DELETE FROM endpoints", /users 5: the user's default endpoint is missing/],
        ["UPDATE endpoints SET owner_id = 4711", /endpoints 5: .*its owner is missing/],
        ["UPDATE endpoints SET signing = x'01' || zeroblob(80)", /endpoints 5: the signing secrets do not open with this key file/],
        ["UPDATE endpoints SET identity = x'01' || zeroblob(80)", /endpoints 5: the TLS identity does not open with this key file/],
        ['INSERT INTO usage VALUES (5, 1, 0)', /usage 5: .*not the sum of its rows/],
        ['INSERT INTO usage VALUES (5, 0, 1)', /usage 5: .*not the sum of its rows/],
        [`INSERT INTO owned VALUES (5, ${ids[0]}, 700)`, /usage 5: .*not the sum of its rows/],
        ...['events', 'pending', 'delivered', 'given_up', 'cancelled', 'skipped', 'endpoints'].map((name) =>
            [`UPDATE state SET ${name} = ${name} + 1`, /state 1: the figures/]),
    ]) await damaged(change, pattern);
    copyFileSync(sound, file);
    assert.equal((await posthorn('check', data)).code, 0);
    const key = join(data, 'posthorn.key'), kept = readFileSync(key, 'utf8');
    for (const [text, pattern] of [[`${'0123456789abcdef'.repeat(4)}\n`, /key file .*: it is not this database's/], ['none\n', /key file .*: the key file does not hold/]]) {
        writeFileSync(key, text, { mode: 0o600 });
        const { code, stdout } = await posthorn('check', data);
        assert.equal(code, 1);
        assert.match(stdout, pattern);
    }
    writeFileSync(key, kept, { mode: 0o600 });
    assert.equal((await posthorn('check', data)).code, 0);
});

test('8.12: sums that are late, with a server at work or killed, are no damage', async (t) => {
    const there = await receiver(t), install = await initialize(t);
    const server = await serve(t, { install });
    const sound = async (when) => {
        const { code, stdout, stderr } = await posthorn('check', install.data);
        assert.equal(code, 0, `${when}: ${stdout}${stderr}`);
    };
    await setUrl(server, there.url);
    for (let round = 0; round < 3; round++) {
        const posted = Promise.all(Array.from({ length: 60 }, () => post(server)));
        await sound('under way');
        await posted;
        await sound('just accepted');
    }
    await there.arrived(180);
    await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets' } });
    await sound('with a sealed secret');
    await server.end('SIGKILL');
    await sound('killed');
});
