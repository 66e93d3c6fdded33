// Only a Master posts events: they carry the platform's signature.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, eventBody, eventually, makeUser, posthorn, post, receiver, serve, setUrl, sha256 } from './harness.mjs';

const FREE = ['--rate-limit', '0'];
const lines = (...bodies) => bodies.map((body) => `${JSON.stringify(body)}\n`).join('');

/** A Master that receives its users' events, and a Regular, each with a receiver. */
async function crew(t, args = []) {
    const server = await serve(t, { args: [...FREE, ...args] });
    const [masters, users] = [await receiver(t), await receiver(t)];
    const user = await makeUser(server);
    await setUrl(server, masters.url);
    await api(server, 'PATCH', '/api/users/me', { data: { type: 'users', attributes: { receives_users_events: true } } });
    await setUrl(server, users.url, { id: user.user_id, key: user.api_key });
    return { server, masters, users, user, key: user.api_key };
}

test("8.11: a Regular's key posts no event, whole or in a batch, for itself or for others", async (t) => {
    const { server, masters, users, key, user } = await crew(t);
    const resource = { type: 'payments', id: '1' };
    const ndjson = { key, headers: { 'Content-Type': 'application/x-ndjson' } };
    for (const answer of [
        await api(server, 'POST', '/api/events', eventBody({ resource }), { key }),
        await api(server, 'POST', '/api/events/', eventBody({ resource, user: user.user_id }), { key }),
        await api(server, 'POST', '/api/events', eventBody({ resource }), { key: `Bearer ${key}` }),
        await api(server, 'POST', '/api/events', eventBody({ resource }), { key, headers: { 'Idempotency-Key': 'a' } }),
        await api(server, 'POST', '/api/events', lines(eventBody({ resource }), eventBody({ resource })), ndjson),
    ]) {
        assert.equal(answer.status, 403, answer.text);
        assert.match(answer.json.errors[0].detail, /Only a Master's key may post events.*regular-events/);
    }
    const cli = await posthorn('trigger', 'user_enabled', '--server', server.url, '--key', key);
    assert.equal(cli.code, 1);
    assert.match(cli.stderr, /Only a Master's key may post events/);
    assert.equal((await api(server, 'GET', '/api/events', undefined, { key })).json.data.length, 0);
    assert.equal((await api(server, 'GET', '/api/payments/1', undefined, { key })).status, 404);

    // The Master, for that user and as that user: both get it, and it says whose it is.
    const ids = [await post(server, { user: user.user_id }),
                 await post(server, { key: `${server.api_key}; user=${user.user_id}` })];
    for (const there of [masters, users]) {
        await there.arrived(2);
        assert.deepEqual(there.requests.map(({ id }) => id).sort(), ids.sort());
        for (const { json } of there.requests)
            assert.deepEqual(json.data.relationships.user.data, { type: 'users', id: user.user_id });
    }
    const own = await post(server); // the Master's own: nobody's but its
    await eventually('its own event', () => masters.of(own).length > 0);
    assert.equal(masters.of(own)[0].json.data.relationships.user, undefined);
});

test('8.11: with regular-events a Regular reaches its own endpoint only, and no snapshot', async (t) => {
    const { server, masters, users, key, user } = await crew(t, ['--regular-events']);
    const resource = { type: 'payments', id: '1' };
    await post(server, { user: user.user_id, resource, attributes: { state: 'genuine' } });
    await users.arrived(1);
    await masters.arrived(1);
    const snapshot = async () =>
        (await api(server, 'GET', '/api/payments/1', undefined, { key })).json.data.attributes.state;
    assert.equal(await snapshot(), 'genuine');
    const forged = [await post(server, { key, resource, attributes: { state: 'forged' } }),
                    await post(server, { key, type: 'payment_destroyed', resource, attributes: { state: 'forged' } })];
    const batch = await api(server, 'POST', '/api/events', lines(eventBody({ resource, attributes: { state: 'forged' } })),
        { key, headers: { 'Content-Type': 'application/x-ndjson' } });
    assert.equal(batch.status, 201, batch.text);
    forged.push(JSON.parse(batch.text).data.id);
    await users.arrived(4);
    for (const id of forged) {
        const [push] = users.of(id);
        assert.equal(push.header('WEBHOOK-AUTH'), sha256(key));
        const { json } = await api(server, 'GET', `/api/events/${id}/deliveries`);
        assert.deepEqual(json.data.map(({ relationships }) => relationships.user.data.id), [user.user_id]);
    }
    assert.equal(await snapshot(), 'genuine');
    const last = await post(server, { user: user.user_id, resource: { type: 'payments', id: '2' } });
    await eventually('the genuine one behind them', () => masters.of(last).length > 0);
    for (const id of forged) assert.equal(masters.of(id).length, 0);
    const other = await makeUser(server);
    const denied = await api(server, 'POST', '/api/events', eventBody({ user: other.user_id }), { key });
    assert.equal(denied.status, 403);
});
