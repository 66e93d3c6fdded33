// disable_after: an endpoint that only fails is disabled. A day lasts seconds here (--time-scale).
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventually, initialize, post, receiver, serve } from './harness.mjs';

const make = async (server, attributes) => {
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(made.status, 201, made.text);
    return made.json.data.id;
};
const patch = (server, id, attributes) => api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
const shown = async (server, id) => {
    const { attributes } = (await api(server, 'GET', `/api/endpoints/${id}`)).json.data;
    return [attributes.status, attributes.disabled_reason];
};

test('disable_after: days of failures only disable, deliveries wait, and an endpoint that is enabled again gets them', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '43200'] });
    let status = 500;
    const hook = await receiver(t, () => answer(status));
    const other = await receiver(t, () => answer(status));
    const id = await make(server, { url: hook.url, disable_after: 1 }), never = await make(server, { url: other.url });
    const event = await post(server);
    await eventually('disabled', async () => (await shown(server, id))[0] === 'disabled');
    assert.deepEqual(await shown(server, id), ['disabled', 'failing']);
    assert.deepEqual(await shown(server, never), ['active', null]);
    assert.match(server.stderr, new RegExp(`endpoint is disabled: user=${server.user_id} endpoint=${id} status=500 .*\\(disable_after\\)`));
    assert.equal((await patch(server, id, { disable_after: null })).json.data.attributes.status, 'disabled');
    assert.equal((await delivery(server, event, id)).attributes.state, 'pending');
    status = 200;
    assert.deepEqual((await patch(server, id, { status: 'active' })).json.data.attributes.disabled_reason, null);
    await eventually('delivered', async () => (await delivery(server, event, id)).attributes.state === 'delivered');
});

test('disable_after: what failed before a restart counts, and the time in between does not', async (t) => {
    const install = await initialize(t), args = ['--time-scale', '10000']; /* a day is 8.6 s */
    let server = await serve(t, { install, args });
    const hook = await receiver(t, () => answer(500));
    const id = await make(server, { url: hook.url, disable_after: 1 });
    await post(server);
    await hook.arrived(3);
    await server.end('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 9000));
    const before = hook.requests.length;
    server = await serve(t, { install, args });
    await hook.arrived(before + 1);
    assert.deepEqual(await shown(server, id), ['active', null]);
    await eventually('disabled', async () => (await shown(server, id))[0] === 'disabled');
});
