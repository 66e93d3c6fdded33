// The quotas of a user: stored bytes and waiting deliveries. The numbers in the names are those of docs/faults.md.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, makeUser, post, receiver, serve, setUrl } from './harness.mjs';

const FREE = ['--rate-limit', '0'];
const send = (server, options) => api(server, 'POST', '/api/events', eventBody(options));

/** Refused for a quota: which one, of whom, its limit and how much is used. */
function refused({ status, json, headers }, code, user, ...words) {
    assert.equal(status, code === 'too_many_waiting' ? 429 : 507, JSON.stringify(json));
    assert.equal(json.errors[0].code, code);
    for (const word of [`User ${user} has`, ...words]) assert.ok(json.errors[0].detail.includes(word), json.errors[0].detail);
    assert.equal(headers.get('Retry-After'), code === 'too_many_waiting' ? '60' : null);
}

test('8.24: deliveries that wait have a quota for each user; what ends makes room', async (t) => {
    let up = false;
    const there = await receiver(t, () => (up ? answer(200) : answer(500)));
    const args = [...FREE, '--user-waiting-max', '3', '--time-scale', '100'];
    const server = await serve(t, { args });
    const other = await makeUser(server);
    await setUrl(server, there.url);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await post(server));
    const beyond = await send(server);
    refused(beyond, 'too_many_waiting', server.user_id, 'has 3 unfinished deliveries', 'may have 3', 'user-waiting-max');
    await post(server, { user: other.user_id }); // a Master's event counts for the owner it is about
    const first = await delivery(server, ids[0]);
    assert.equal((await api(server, 'POST', `/api/deliveries/${first.id}/resend`)).status, 200);

    const lines = [{}, { user: other.user_id }, {}].map((options) => JSON.stringify(eventBody(options))).join('\n');
    const batch = await api(server, 'POST', '/api/events', lines, { headers: { 'Content-Type': 'application/x-ndjson' } });
    assert.equal(batch.status, 207);
    assert.equal(batch.headers.get('retry-after'), '60');
    const parts = batch.text.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(parts.map(({ meta }) => meta.status), ['429', '201', '429']);
    assert.equal(parts[0].errors[0].code, 'too_many_waiting');

    const listed = (await api(server, 'GET', '/api/events')).json.data;
    assert.equal(listed.length, 3, 'what was refused was not written');
    up = true;
    await eventually('there is room again', async () => (await send(server)).status === 201);
    for (const id of ids)
        await eventually('none was lost', async () => (await delivery(server, id)).attributes.state === 'delivered');
});

test('8.24: stored bytes have a quota for each user, and what is purged frees it', async (t) => {
    const args = [...FREE, '--user-bytes-max', '8KiB', '--retention', '2s', '--retention-resources', '2s'];
    const server = await serve(t, { args });
    const large = { attributes: { text: 'x'.repeat(3000) } };
    const { user_id: other } = await makeUser(server);
    await post(server, large);
    await post(server, large);
    const beyond = await send(server, large);
    refused(beyond, 'quota_reached', server.user_id, 'bytes stored', 'may have 8192', 'user-bytes-max');
    for (let i = 0; i < 20; i++) assert.equal((await send(server, large)).status, 507);
    await post(server, { ...large, user: other });
    assert.equal(server.output.match(/ warn api: POST .*: 507/g).length, 1, 'a tenant does not fill the log');
    await eventually('what was purged makes room', async () => (await send(server, large)).status === 201);
});

test('8.24: resources have a quota for each user; one that is there is changed all the same', async (t) => {
    const server = await serve(t, { args: [...FREE, '--user-resources-max', '2'] });
    const about = (id, text = 'x') => ({ resource: { type: 'users', id }, attributes: { text } });
    const put = (id, text) => api(server, 'PUT', `/api/resources/users/${id}`,
        { data: { type: 'users', id, attributes: { text } } });
    await post(server, about('1'));
    await post(server, about('2'));
    refused(await send(server, about('3')), 'quota_reached', server.user_id, 'has 2 resources', 'may have 2');
    refused(await put('3', 'new'), 'quota_reached', server.user_id, 'user-resources-max');
    assert.equal((await api(server, 'GET', '/api/resources/users/3')).status, 404);
    await post(server, about('2', 'longer'));
    assert.equal((await put('1', 'much longer')).status, 200);
    assert.equal((await api(server, 'DELETE', '/api/resources/users/1')).status, 204);
    assert.equal((await put('3', 'new')).status, 201);
});
