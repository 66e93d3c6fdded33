// rows: 6, 7, 9, 11, 14, 16, 17, 23, 31, 32, 33
//
// The pushed request: its document, its URL, and the proof of its sender.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventBody, makeUser, post, posthorn, receiver, serve, setUrl, sha256 } from '../e2e/harness.mjs';

const FAST = ['--time-scale', '200']; /* backoff of 50, 150, 450 ms */
const FREE = ['--rate-limit', '0'];
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A server whose first user's events arrive at a receiver. */
async function pair(t, { args = FREE, behave, path = '' } = {}) {
    const server = await serve(t, { args });
    const there = await receiver(t, behave);
    await setUrl(server, there.url + path);
    return { server, there };
}

test('row 6: PATCH twice: later events go to the newer URL only', async (t) => {
    const { server, there: first } = await pair(t);
    const second = await receiver(t);
    await post(server);
    await first.arrived(1);
    await setUrl(server, second.url);
    for (let i = 0; i < 10; i++) await post(server);
    await second.arrived(10);
    assert.equal(first.requests.length, 1);
});

test('row 6: what still waits for the older URL is tried again at the newer one', async (t) => {
    const { server, there: first } = await pair(t, { args: ['--time-scale', '10'], behave: () => answer(500) });
    const second = await receiver(t);
    const id = await post(server);
    await first.arrived(1);
    await setUrl(server, second.url);
    await second.arrived(1);
    assert.equal(second.requests[0].id, id);
});

test('row 7: POST, with path and query byte for byte', async (t) => {
    for (const path of ['/a%2Fb?x=1&y=', '/', '/%7Euser/./../a//b;c=d?q=%20+%2B&&=#'.slice(0, -1)]) {
        const { server, there } = await pair(t, { path });
        await post(server);
        const [push] = await there.arrived(1);
        assert.equal(push.method, 'POST');
        assert.equal(push.path, path);
        await server.end();
    }
});

test('row 9: its type is events', async (t) => {
    const { server, there } = await pair(t);
    const made = await api(server, 'POST', '/api/events', eventBody());
    assert.equal(made.json.data.type, 'events');
    const [push] = await there.arrived(1);
    assert.equal(push.json.data.type, 'events');
    assert.match(push.body.toString(), /^\{"data":\{"type":"events",/);
    const other = eventBody();
    other.data.type = 'event';
    assert.equal((await api(server, 'POST', '/api/events', other)).status, 409);
});

test('row 11: event_type is always there, and the same everywhere', async (t) => {
    const { server, there } = await pair(t);
    for (const type of [undefined, null, '', 'with space', 'x'.repeat(129), 7]) {
        const body = eventBody();
        body.data.attributes.event_type = type;
        assert.equal((await api(server, 'POST', '/api/events', body)).status, 422, String(type));
    }
    const types = JSON.parse((await posthorn('catalog', '--json')).stdout).map(({ name }) => name);
    const posted = new Map();
    for (const type of [...types, 'a.type-of_our.own']) posted.set(await post(server, { type }), type);
    await there.arrived(posted.size);
    for (const push of there.requests) assert.equal(push.json.data.attributes.event_type, posted.get(push.id));
    const [id, type] = [...posted][0];
    assert.equal((await api(server, 'GET', `/api/events/${id}`)).json.data.attributes.event_type, type);
});

test("row 14: created_at is the producer's date, else the time of arrival", async (t) => {
    const { server, there } = await pair(t);
    const old = await post(server, { created_at: '2000-01-01T00:00:00.000Z' });
    const before = Date.now();
    const now = await post(server);
    const after = Date.now();
    await there.arrived(2);
    const created = (id) => there.of(id)[0].json.data.attributes.created_at;
    assert.equal(created(old), '2000-01-01T00:00:00.000Z');
    assert.ok(Date.parse(created(now)) >= before && Date.parse(created(now)) <= after, created(now));
    const shown = await api(server, 'GET', `/api/events/${old}`);
    assert.equal(shown.json.data.attributes.created_at, '2000-01-01T00:00:00.000Z');
});

/** Every text in a document that begins as a date does. */
function* dates(value) {
    if (typeof value === 'string' && /^\d{4}-\d\d-\d\d/.test(value)) yield value;
    else if (value && typeof value === 'object') for (const one of Object.values(value)) yield* dates(one);
}

test('row 16: every date has 24 characters: UTC, three decimals, Z', async (t) => {
    const { server, there } = await pair(t);
    const given = ['2000-01-01T00:00:00.000Z', '2000-01-01T02:00:00+02:00', '1999-12-31T23:00:00.0001-01:00', '2000-01-01T00:00:00Z'];
    for (const created_at of given) await post(server, { created_at });
    for (const push of await there.arrived(given.length)) {
        const { created_at, sent_at } = push.json.data.attributes;
        assert.equal(created_at, '2000-01-01T00:00:00.000Z');
        assert.match(sent_at, INSTANT);
    }
    const [{ id }] = there.requests;
    let count = 0;
    for (const path of ['/api/users/me', '/api/users', '/api/api_keys', '/api/events', `/api/events/${id}`,
                        `/api/events/${id}/deliveries`, `/api/deliveries/${(await delivery(server, id)).id}`])
        for (const date of dates((await api(server, 'GET', path)).json)) {
            assert.match(date, INSTANT, path);
            count++;
        }
    assert.ok(count >= 15, `${count} dates seen`);
    for (const created_at of ['2000-01-01', '2000-02-30T00:00:00Z', '2000-01-01T00:00:00', 'now', 0]) {
        const body = eventBody();
        body.data.attributes.created_at = created_at;
        assert.equal((await api(server, 'POST', '/api/events', body)).status, 422, String(created_at));
    }
});

test('row 17: a to-one linkage called resource; further relationships pass through', async (t) => {
    const { server, there } = await pair(t);
    const body = eventBody({ type: 'concierge_request_output_failed', resource: { type: 'concierge_requests', id: '1' } });
    const failures = { data: [{ type: 'failures', id: '3' }, { type: 'failures', id: '4' }] };
    body.data.relationships.failures = failures;
    body.included.push({ type: 'failures', id: '3', attributes: { code: 'a' } }, { type: 'failures', id: '4', attributes: {} });
    assert.equal((await api(server, 'POST', '/api/events', body)).status, 201);
    const [push] = await there.arrived(1);
    assert.deepEqual(push.json.data.relationships, {
        resource: { data: { type: 'concierge_requests', id: '1' } }, failures,
    });
    assert.deepEqual(push.json.included.map(({ type, id }) => `${type}/${id}`),
        ['concierge_requests/1', 'failures/3', 'failures/4']);
    const many = eventBody();
    many.data.relationships.resource.data = [{ type: 'users', id: '7' }];
    assert.equal((await api(server, 'POST', '/api/events', many)).status, 422, 'to-one');
});

test('row 23: a POST with exactly application/json', async (t) => {
    const { server, there } = await pair(t);
    await post(server);
    const [push] = await there.arrived(1);
    assert.equal(push.head.split('\r\n')[0], 'POST / HTTP/1.1');
    assert.deepEqual(push.head.split('\r\n').filter((line) => /^content-type/i.test(line)), ['Content-Type: application/json']);
    assert.equal(push.header('Content-Length'), String(push.body.length));
    const names = push.headers.map(([name]) => name.toLowerCase());
    assert.equal(new Set(names).size, names.length, 'no header twice');
});

test('row 31: WEBHOOK-AUTH is on every push, in capitals on the wire', async (t) => {
    const { server, there } = await pair(t, { args: FAST, behave: (push, number) => answer(number < 3 ? 500 : 200) });
    await post(server);
    for (const push of await there.arrived(3)) {
        const lines = push.head.split('\r\n').filter((line) => /^webhook-auth/i.test(line));
        assert.deepEqual(lines, [`WEBHOOK-AUTH: ${sha256(server.api_key)}`]);
    }
});

test('row 32: the SHA-256 of the key, in 64 lower-case hex digits', async (t) => {
    const { server, there } = await pair(t);
    await post(server);
    const [push] = await there.arrived(1);
    assert.match(push.header('WEBHOOK-AUTH'), /^[0-9a-f]{64}$/);
    assert.equal(push.header('WEBHOOK-AUTH'), sha256(server.api_key));
    const { code } = await posthorn('trigger', 'user_enabled', '--to', there.url, '--api-key', 'your_api_key');
    assert.equal(code, 0);
    assert.equal(there.requests[1].header('WEBHOOK-AUTH'), '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683');
});

test("row 32: of several keys the oldest active one's", async (t) => {
    const { server, there } = await pair(t);
    const made = await api(server, 'POST', '/api/api_keys', { data: { type: 'api_keys', attributes: { label: 'second' } } });
    assert.equal(made.status, 201, made.text);
    const second = made.json.data.attributes.token;
    await post(server);
    await there.arrived(1);
    assert.equal(there.requests[0].header('WEBHOOK-AUTH'), sha256(server.api_key));
    const keys = (await api(server, 'GET', '/api/api_keys')).json.data;
    const oldest = keys.find(({ id }) => id !== made.json.data.id);
    assert.ok([200, 204].includes((await api(server, 'DELETE', `/api/api_keys/${oldest.id}`)).status));
    await post(server, { key: second });
    await there.arrived(2);
    assert.equal(there.requests[1].header('WEBHOOK-AUTH'), sha256(second));
});

test("row 33: a bearer secret: never to a redirect's target", async (t) => {
    const elsewhere = await receiver(t);
    const { server, there } = await pair(t, {
        args: FAST, behave: (push, number) => answer([301, 302, 303, 307, 308][(number - 1) % 5], '', `Location: ${elsewhere.url}/steal\r\n`),
    });
    const id = await post(server);
    await there.arrived(5);
    assert.equal(elsewhere.requests.length, 0);
    assert.equal((await delivery(server, id)).attributes.last_reason, 'redirect');
});

test('row 33: https unless allowed', async (t) => {
    const server = await serve(t, { dev: false });
    const set = (webhook_url) => api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: '5', attributes: { webhook_url } } });
    const refused = await set('http://example.com/');
    assert.equal(refused.status, 422, refused.text);
    assert.equal(refused.json.errors[0].code, 'url_scheme');
    assert.equal((await set('https://example.com/')).status, 200);
    const allowed = await serve(t, { dev: false, args: ['--allow-http'] });
    const body = { data: { type: 'users', id: '5', attributes: { webhook_url: 'http://example.com/' } } };
    assert.equal((await api(allowed, 'PATCH', '/api/users/me', body)).status, 200);
});

test('row 33: no key and no digest in any log, answer, or file', async (t) => {
    const { server, there } = await pair(t, {
        args: [...FREE, '--log-level', 'debug', '--time-scale', '100'],
        behave: (push, number) => (number === 1 ? null : answer(number === 2 ? 500 : 200)),
    });
    const user = await makeUser(server);
    const id = await post(server);
    await there.arrived(3);
    const answers = [];
    for (const path of ['/api/users/me', '/api/users', `/api/users/${user.user_id}`, '/api/api_keys', '/api/events',
                        `/api/events/${id}`, `/api/events/${id}/deliveries`, '/api/meta', '/metrics', '/health',
                        `/api/deliveries/${(await delivery(server, id)).id}`, '/api/nothing'])
        answers.push((await api(server, 'GET', path)).text);
    answers.push((await api(server, 'GET', '/api/users/me', undefined, { key: sha256(server.api_key) })).text);
    answers.push((await api(server, 'PATCH', '/api/users/me', `{"data":"${server.api_key}"`)).text);
    await server.end('SIGTERM');
    for (const secret of [server.api_key, user.api_key, sha256(server.api_key), sha256(user.api_key)]) {
        for (const text of answers) assert.ok(!text.includes(secret), text);
        assert.ok(!server.stderr.includes(secret), server.stderr);
        assert.ok(!server.stdout.includes(secret), server.stdout);
    }
    for (const file of readdirSync(server.data))
        assert.ok(!readFileSync(join(server.data, file)).includes(server.api_key), `${file} holds the key`);
});
