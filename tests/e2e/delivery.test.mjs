// One event, one owner, one URL: the request that arrives. Most of it is in tests/mission, row by row.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, post, receiver, serve, setUrl, sha256 } from './harness.mjs';

const FAST = ['--time-scale', '200']; /* backoff of 50, 150, 450 ms */

test('the push is the document of the guide, with its headers in their spelling', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const id = await post(server, { created_at: '2000-01-01T00:00:00.000Z' });
    const [push] = await there.arrived(1);

    assert.equal(push.method, 'POST');
    assert.equal(push.version, 'HTTP/1.1');
    assert.equal(push.header('WEBHOOK-AUTH'), sha256(server.api_key), 'in capitals on the wire');
    assert.equal(push.header('Content-Type'), 'application/json');
    assert.equal(push.header('Host'), `127.0.0.1:${there.port}`);
    assert.equal(push.header('Content-Length'), String(push.body.length));
    const names = push.headers.map(([name]) => name.toLowerCase());
    assert.equal(new Set(names).size, names.length, 'no header twice');
    assert.ok(!push.head.includes(server.api_key), 'the key itself is never sent');

    const { data, included } = push.json;
    assert.equal(data.type, 'events');
    assert.equal(data.id, id);
    assert.match(data.id, /^[0-9]+$/);
    assert.equal(data.attributes.event_type, 'user_enabled');
    assert.equal(data.attributes.created_at, '2000-01-01T00:00:00.000Z');
    assert.match(data.attributes.sent_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(data.relationships.resource, { data: { type: 'users', id: '7' } });
    assert.deepEqual(included, [{ type: 'users', id: '7', attributes: { name: 'Ana' } }]);
});

test('the delivery then reads as delivered', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(1);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    assert.equal(there.of(id).length, 1);
});

test('amounts keep their text', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const body = JSON.stringify(eventBody()).replace('"name":"Ana"', '"amount":1000.00000000000010,"rate":1e3');
    const made = await api(server, 'POST', '/api/events', body);
    assert.equal(made.status, 201, made.text);
    const [push] = await there.arrived(1);
    assert.match(push.body.toString(), /"amount" ?: ?1000\.00000000000010\b/);
});

test('410 pauses the user that asked for it, and nothing is lost', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await receiver(t, (request, number) => answer(number === 1 ? 410 : 200));
    await setUrl(server, there.url);
    const set = (attributes) => api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: '5', attributes } });
    assert.equal((await set({ disable_on_410: true })).status, 200);
    const id = await post(server);
    await eventually('paused', async () => (await api(server, 'GET', '/api/users/me')).json.data.attributes.paused);
    assert.equal((await delivery(server, id)).attributes.last_reason, 'gone');
    assert.equal((await delivery(server, id)).attributes.state, 'pending');
    assert.equal((await set({ paused: false })).status, 200);
    await there.arrived(2);
    assert.deepEqual(there.requests[1].body, there.requests[0].body);
});
