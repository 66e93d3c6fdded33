// Notices: posthorn's own events about endpoints, for endpoints that name them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventually, initialize, makeUser, post, receiver, serve } from './harness.mjs';

const make = async (server, attributes, key) => {
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } }, { key });
    assert.equal(made.status, 201, made.text);
    return made.json.data.id;
};
const change = (server, id, attributes) => api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
const told = (hook) => hook.requests.map((request) => JSON.parse(request.body)).map(({ data, included }) =>
    ({ type: data.attributes.event_type, about: data.relationships.resource.data, user: data.relationships.user, ...included[0].attributes }));
const types = (hook) => told(hook).map(({ type }) => type);

test('notices: endpoint_failing, endpoint_recovered: the Master that asks is told of a user\'s endpoint, once', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] }); /* a day is 864 s */
    let status = 500;
    const hook = await receiver(t, () => answer(status)), master = await receiver(t, () => answer(200)), silent = await receiver(t, () => answer(200));
    const user = await makeUser(server);
    assert.equal((await change(server, user.user_id, { url: hook.url })).status, 200);
    await make(server, { url: master.url, event_types: ['endpoint_*', 'delivery_given_up'] });
    await make(server, { url: silent.url });
    const events = [];
    for (let i = 0; i < 3; i++) events.push(await post(server, { user: user.user_id }));
    await master.arrived(1);
    const [failing] = told(master);
    assert.equal(failing.type, 'endpoint_failing');
    assert.deepEqual(failing.about, { type: 'endpoints', id: user.user_id });
    assert.equal(failing.user.data.id, user.user_id);
    assert.equal(failing.status, 'active');
    assert.equal(failing.disabled_at, null);
    assert.ok(Date.now() - Date.parse(failing.failing_since) < 600_000);
    status = 200;
    await master.arrived(2);
    assert.deepEqual(types(master), ['endpoint_failing', 'endpoint_recovered']);
    assert.equal(told(master)[1].failing_since, null);
    for (const event of events) await eventually('delivered', async () => (await delivery(server, event)).attributes.state === 'delivered');
    assert.ok(silent.requests.every((request) => !/endpoint_|delivery_given_up/.test(JSON.parse(request.body).data.attributes.event_type)));
    const { attributes } = (await api(server, 'GET', '/api/event_types/endpoint_failing')).json.data;
    assert.deepEqual(Object.keys(attributes.example.included[0].attributes).sort(), Object.keys(JSON.parse(master.requests[0].body).included[0].attributes).sort(), 'as the catalogue shows it');
    const listed = (await api(server, 'GET', `/api/events?filter[event_type]=endpoint_failing&filter[user]=${user.user_id}`)).json.data;
    assert.equal(listed.length, 1, 'an event like any other');
    const { meta } = (await api(server, 'GET', `/api/events/${listed[0].id}/deliveries`)).json;
    assert.deepEqual(meta.not_sent, [{ endpoint: user.user_id, reason: 'notice' }]);
});

test('notices: endpoint_disabled: the owner is told before it happens and when it does', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '20000'] }); /* a day is 4.3 s */
    const hook = await receiver(t, () => answer(500)), own = await receiver(t, () => answer(200));
    const id = await make(server, { url: hook.url, disable_after: 1 });
    await make(server, { url: own.url, event_types: ['endpoint_failing', 'endpoint_disabled'] });
    await post(server);
    await own.arrived(2);
    const [before, after] = told(own);
    assert.deepEqual([before.type, before.about.id, before.status], ['endpoint_failing', id, 'active']);
    assert.equal(Date.parse(before.disabled_at) - Date.parse(before.failing_since), 4320);
    assert.deepEqual([after.type, after.status, after.disabled_reason], ['endpoint_disabled', 'disabled', 'failing']);
});

test('notices: delivery_given_up: many are one notice with their number', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100000'] }); /* 72 h are 2.6 s */
    const hook = await receiver(t, () => answer(500)), own = await receiver(t, () => answer(200));
    await make(server, { url: hook.url });
    await make(server, { url: own.url, event_types: ['delivery_given_up'] });
    for (let i = 0; i < 40; i++) await post(server);
    await eventually('all are told', () => told(own).reduce((sum, one) => sum + one.deliveries_given_up, 0) === 40);
    assert.ok(own.requests.length < 20, `${own.requests.length} notices`);
});

test('notices: never about themselves: where who asks fails, nobody is told, and no event is made', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] });
    const hook = await receiver(t, () => answer(500));
    for (let i = 0; i < 2; i++) await make(server, { url: hook.url, event_types: ['endpoint_*', 'delivery_given_up', 'payment_*'] });
    for (let i = 0; i < 2; i++) await post(server, { type: 'payment_pending' });
    await hook.arrived(24);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal((await api(server, 'GET', '/api/events')).json.data.length, 2);
});

test('notices: what is not told when the server is killed is told after its restart, once', async (t) => {
    const install = await initialize(t), args = ['--time-scale', '100'];
    let server = await serve(t, { install, args });
    const hook = await receiver(t, () => answer(500)), own = await receiver(t, () => answer(200));
    const id = await make(server, { url: hook.url }), asker = await make(server, { url: own.url, event_types: ['endpoint_failing'] });
    await change(server, asker, { status: 'paused' });
    await post(server);
    await eventually('it is told', async () => (await api(server, 'GET', '/api/events?filter[event_type]=endpoint_failing')).json.data.length === 1);
    await server.end('SIGKILL');
    server = await serve(t, { install, args });
    await change(server, asker, { status: 'active' });
    await own.arrived(1);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.deepEqual(told(own).map(({ type, about }) => [type, about.id]), [['endpoint_failing', id]]);
});
