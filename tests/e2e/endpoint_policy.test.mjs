// The settings of an endpoint's attempts: success, timeout, retry.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventually, initialize, post, posthorn, receiver, serve } from './harness.mjs';

const FAST = ['--time-scale', '200']; /* 10 s become 50 ms */

const set = async (server, attributes) => {
    const id = server.user_id; /* the default endpoint */
    const answer = await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data.attributes;
};
const becomes = (server, event, state) =>
    eventually(`${event} is ${state}`, async () => (await delivery(server, event)).attributes.state === state);
const statuses = async (server, event) => 
    (await api(server, 'GET', `/api/deliveries/${(await delivery(server, event)).id}`)).json.data.attributes.attempts.map(({ status }) => status);

test('success: a list of codes: these acknowledge, and no others', async (t) => {
    const server = await serve(t, { args: FAST });
    const hook = await receiver(t, (_, number) => answer([200, 204, 299, 302, 202, 203][number - 1], ''));
    assert.deepEqual((await set(server, { url: hook.url, success: [202, 203] })).success, [202, 203]);
    const first = await post(server);
    await becomes(server, first, 'delivered');
    assert.deepEqual(await statuses(server, first), [200, 204, 299, 302, 202]);
    const second = await post(server);
    await becomes(server, second, 'delivered');
    assert.deepEqual(await statuses(server, second), [203]);
    const { json } = await api(server, 'GET', '/api/users/me'); /* the default endpoint's, in other words */
    assert.deepEqual(json.data.attributes.success, [202, 203]);
});

test('success: the user has it, too, and why says what is needed', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t, () => answer(200));
    const user = async (success) => {
        const body = { data: { type: 'users', id: server.user_id, attributes: { webhook_url: hook.url, success } } };
        const answer = await api(server, 'PATCH', '/api/users/me', body);
        assert.equal(answer.status, 200, answer.text);
        return answer.json.data.attributes.success;
    };
    assert.deepEqual(await user([201, 202]), [201, 202]);
    const event = await post(server);
    await hook.arrived(1);
    const waits = async () => (await posthorn('why', event, '--server', server.url, '--key', server.api_key)).stdout;
    await eventually('it is on record', async () => (await delivery(server, event)).attributes.attempt_count === 1);
    assert.match(await waits(), /your server said 200; we need 201, 202/);
    assert.equal(await user('2xx'), '2xx');
    assert.match(await waits(), /we need 200 to 299/);
    assert.equal(await user('200'), '200');
    assert.equal(await user('2xx'), '2xx');
    assert.equal(await user(null), '200'); // as generated clients send what they were not given
    await becomes(server, await post(server), 'delivered');
});

test('timeout: an endpoint that hangs fails its attempt, while a neighbour without a timeout goes on', async (t) => {
    const server = await serve(t, { args: FAST });
    const hangs = await receiver(t, (_, number) => number === 1 ? new Promise(() => {}) : answer(200));
    let release;
    const held = new Promise((resolve) => { release = () => resolve(answer(200)); });
    const neighbour = await receiver(t, () => held);
    assert.equal((await set(server, { url: neighbour.url })).timeout, null);
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: hangs.url, timeout: 1 } } });
    assert.equal(made.json.data.attributes.timeout, 1);
    const event = await post(server);
    const inState = async (state) => {
        const { json } = await api(server, 'GET', `/api/events/${event}/deliveries`);
        const found = json.data.filter(({ attributes }) => attributes.state === state);
        return Promise.all(found.map(async ({ id }) => (await api(server, 'GET', `/api/deliveries/${id}`)).json.data.attributes));
    };
    await eventually('the retry is delivered', async () => (await inState('delivered')).length === 1);
    const [{ attempts }] = await inState('delivered');
    assert.deepEqual(attempts.map(({ reason, status, counted }) => [reason, status, counted]), [['timeout', null, true], ['none', 200, true]]);
    assert.equal(attempts[0].detail, "the attempt reached the endpoint's timeout of 1 s");
    assert.deepEqual((await inState('pending')).map((other) => [other.in_flight, other.attempts]), [[true, []]]);
    release();
    await eventually('the neighbour, too', async () => (await inState('delivered')).length === 2);
    assert.equal(neighbour.requests.length, 1);
    assert.equal((await set(server, { timeout: 60 })).timeout, 60);
    assert.equal((await set(server, { timeout: null })).timeout, null);
});

test('retry: a schedule: so many retries, and then the delivery is given up', async (t) => {
    const server = await serve(t, { args: FAST });
    const hook = await receiver(t, () => answer(500));
    assert.deepEqual((await set(server, { url: hook.url, retry: { schedule: [40, 20, 60] } })).retry, { schedule: [40, 20, 60] });
    const event = await post(server);
    await becomes(server, event, 'given_up');
    assert.deepEqual(await statuses(server, event), [500, 500, 500, 500]);
    const shown = await delivery(server, event);

    /* A change holds from the next attempt on; a resend begins the schedule anew. */
    assert.deepEqual((await set(server, { retry: { schedule: [20] } })).retry, { schedule: [20] });
    assert.equal((await api(server, 'POST', `/api/deliveries/${shown.id}/resend`)).status, 200);
    await eventually('six attempts', async () => (await statuses(server, event)).length === 6);
    await becomes(server, event, 'given_up');
    assert.equal((await set(server, { retry: null })).retry, null);
});

test('retry: a backoff: base, factor, cap and window are the endpoint\'s, what it leaves out is as the settings say', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '200'] });
    const hook = await receiver(t, () => answer(500));
    const retry = { base: 20, factor: 1, window: 50 };
    assert.deepEqual((await set(server, { url: hook.url, retry })).retry, retry);
    const event = await post(server);
    await becomes(server, event, 'given_up');
    /* The settings' window is 22 minutes here. 0, 100, 200, 300 ms: that is past the window of 250. */
    assert.ok((await statuses(server, event)).length <= 4);
});

test('retry: the next attempt is where the schedule says, in the API and in why', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t, () => answer(500));
    await set(server, { url: hook.url, retry: { schedule: [200_000, 5] } });
    const event = await post(server);
    await eventually('it is on record', async () => (await delivery(server, event)).attributes.attempt_count === 1);
    const { next_attempt_in_ms: next } = (await delivery(server, event)).attributes;
    assert.ok(next > 100_000_000 && next <= 220_000_000, `${next}`); /* 200,000 s and a tenth; never the settings' 10 s */
    const { stdout } = await posthorn('why', event, '--server', server.url, '--key', server.api_key);
    assert.match(stdout, /[12] d \d+ h/);
});

test('timeout: a longer one than the drain does not hold up the end: the attempt counts as none, and the next start sends it', async (t) => {
    const install = await initialize(t);
    const hook = await receiver(t, (_, number) => number === 1 ? new Promise(() => {}) : answer(200));
    let server = await serve(t, { install, args: ['--drain', '1s'] });
    assert.equal((await set(server, { url: hook.url, timeout: 60 })).timeout, 60);
    const event = await post(server);
    await hook.arrived(1);
    const { code, signal } = await server.end();
    assert.deepEqual([code, signal], [0, null], server.output);
    server = await serve(t, { install });
    await becomes(server, event, 'delivered');
    const { attempts } = (await api(server, 'GET', `/api/deliveries/${(await delivery(server, event)).id}`)).json.data.attributes;
    assert.deepEqual(attempts.map(({ reason, counted }) => [reason, counted]), [['shutdown', false], ['none', true]]);
});
