// The actions on endpoints: ping, pause, test_filter and others.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, delivery, eventually, makeUser, receiver, serve, setUrl } from './harness.mjs';

const ping = (server, id, options) => api(server, 'POST', `/api/endpoints/${id}/ping`, undefined, options);

test('ping: a whole event goes to this endpoint alone, whatever it wants, and is recorded', async (t) => {
    const server = await serve(t);
    const [hook, other] = [await receiver(t), await receiver(t)];
    await setUrl(server, other.url);
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: {
        url: hook.url, event_types: ['payment_*'], channels: ['eu'], filter: { data: { type: ['none'] } } } } });
    assert.equal(made.status, 201, made.text);
    const id = made.json.data.id;
    const answer = await ping(server, id);
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.headers.get('location'), `/api/events/${answer.json.data.id}`);
    await eventually('the ping comes', () => hook.requests.length === 1);
    const pushed = JSON.parse(hook.requests[0].body);
    assert.equal(pushed.data.id, answer.json.data.id);
    assert.equal(pushed.data.attributes.event_type, 'ping');
    assert.deepEqual(pushed.data.relationships.resource.data, { type: 'endpoints', id });
    assert.deepEqual(pushed.included, [{ type: 'endpoints', id, attributes: { status: 'active' } }]);
    await eventually('it is recorded', async () => (await delivery(server, pushed.data.id)).attributes.state === 'delivered');
    assert.equal((await api(server, 'GET', `/api/events/${pushed.data.id}/deliveries`)).json.data.length, 1);
    assert.equal(other.requests.length, 0);
    assert.equal((await api(server, 'GET', `/api/resources/endpoints/${id}`)).status, 404, 'a ping keeps no snapshot');
});

test('ping: an Idempotency-Key makes one; another endpoint with the same key is 422', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: hook.url } } });
    const headers = { 'Idempotency-Key': 'one' };
    const first = await ping(server, server.user_id, { headers });
    const again = await ping(server, server.user_id, { headers });
    assert.deepEqual([first.status, again.status], [201, 201], first.text + again.text);
    assert.equal(again.json.data.id, first.json.data.id);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.equal((await ping(server, made.json.data.id, { headers })).json.errors[0].code, 'idempotency_conflict');
    const long = (end) => api(server, 'POST', `/api/endpoints/${server.user_id}/ping`, { meta: { text: 'x'.repeat(1000) + end } }, { headers: { 'Idempotency-Key': 'long' } });
    assert.deepEqual([(await long('a')).status, (await long('a')).headers.get('idempotency-replayed'), (await long('b')).status], [201, 'true', 422]);
});

test("ping: a user's own, and a Master's users'; without a URL it is 409, and somebody else's is 404", async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const user = await makeUser(server);
    const none = await ping(server, user.user_id);
    assert.equal(none.status, 409, none.text);
    assert.equal(none.json.errors[0].code, 'endpoint_no_url');
    const to = await receiver(t);
    const own = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: to.url } } }, { key: user.api_key });
    assert.equal((await ping(server, own.json.data.id, { key: user.api_key })).status, 201);
    assert.equal((await ping(server, own.json.data.id)).status, 201);
    await eventually('both come', () => to.requests.length === 2);
    assert.equal(hook.requests.length, 0, 'nothing goes to the Master');
    assert.equal((await ping(server, server.user_id, { key: user.api_key })).status, 404);
    assert.equal((await ping(server, '99')).status, 404);
});
