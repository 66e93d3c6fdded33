// The limits that the owner of an endpoint sets for the flow of its deliveries.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventually, post, receiver, serve } from './harness.mjs';

const make = async (server, attributes) => {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.data.id;
};
const patch = async (server, id, attributes) => {
    const answer = await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data.attributes;
};
/* A receiver that answers when it is told to; `most` is how many were under way at once. */
const slow = async (t) => {
    const held = [];
    const state = { open: false, under: 0, most: 0 };
    state.hook = await receiver(t, () => {
        state.most = Math.max(state.most, ++state.under);
        return new Promise((resolve) => {
            const end = () => { state.under--; resolve(answer(200)); };
            if (state.open) setImmediate(end);
            else held.push(end);
        });
    });
    state.release = () => { state.open = true; held.splice(0).forEach((end) => end()); };
    return state;
};

test('in_flight_max: so many attempts are under way at once, and no more', async (t) => {
    const server = await serve(t);
    const state = await slow(t);
    const id = await make(server, { url: state.hook.url, in_flight_max: 2 });
    for (let i = 0; i < 12; i++) await post(server);
    await eventually('two are under way', () => state.under === 2);
    state.release();
    await state.hook.arrived(12);
    assert.equal(state.most, 2);
    assert.equal((await patch(server, id, { in_flight_max: null })).in_flight_max, null);
});

test('ordered: one at a time in order of acceptance, and a retry holds the line', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] });
    const seen = [];
    let under = 0, most = 0, failures = 2;
    const hook = await receiver(t, async (request) => {
        most = Math.max(most, ++under);
        await new Promise((resolve) => setImmediate(resolve));
        under--;
        seen.push(JSON.parse(request.body).data.id);
        return answer(seen.length > 3 && failures-- > 0 ? 500 : 200);
    });
    await make(server, { url: hook.url, ordered: true });
    const events = [];
    for (let i = 0; i < 8; i++) events.push(await post(server));
    await hook.arrived(10);
    assert.equal(most, 1);
    assert.deepEqual(seen.filter((id, at) => id !== seen[at - 1]), events);
    assert.equal(seen.length, 10);
});

test('ordered: what holds the line is shown, and a cancel opens it', async (t) => {
    const server = await serve(t);
    let refuses = true;
    const hook = await receiver(t, () => answer(refuses ? 500 : 200));
    const id = await make(server, { url: hook.url, ordered: true });
    const line = async () => (await api(server, 'GET', `/api/endpoints/${id}`)).json.meta?.line?.held_by;
    assert.equal(await line(), undefined);
    const events = [await post(server), await post(server)];
    await hook.arrived(1);
    const first = await eventually('the first has failed', async () => {
        const shown = await delivery(server, events[0]);
        return shown.attributes.attempt_count === 1 && shown;
    });
    assert.equal(await line(), first.id);
    // Its ETag changes with the line; a change is judged without it.
    const etag = async () => (await api(server, 'GET', `/api/endpoints/${id}`)).headers.get('etag');
    const held = await etag();
    const on = (method, name, value, attributes) => api(server, method, `/api/endpoints/${id}`,
        attributes && { data: { type: 'endpoints', id, attributes } }, { headers: { [name]: value } });
    assert.match(held, new RegExp(`^"${id}-1;${first.id}"$`));
    assert.equal((await on('GET', 'If-None-Match', held)).status, 304);
    assert.equal((await delivery(server, events[1])).attributes.attempt_count, 0);
    assert.ok((await delivery(server, events[0])).attributes.next_attempt_in_ms > 0);
    refuses = false;
    const cancelled = await api(server, 'POST', `/api/deliveries/${first.id}/cancel`);
    assert.ok(cancelled.status < 300, cancelled.text);
    await eventually('the second is delivered', async () => (await delivery(server, events[1])).attributes.state === 'delivered');
    assert.equal(await line(), undefined);
    assert.equal(await etag(), `"${id}-1"`);
    assert.equal((await on('GET', 'If-None-Match', held)).status, 200);
    assert.equal((await on('GET', 'If-Match', held)).status, 412);
    assert.equal((await on('PATCH', 'If-Match', held.slice(0, -1), { description: 'a' })).status, 412);
    assert.equal((await on('PATCH', 'If-Match', `W/${held}`, { description: 'a' })).status, 412);
    assert.equal((await on('PATCH', 'If-Match', held, { description: 'a' })).status, 200);
    assert.equal((await on('PATCH', 'If-Match', held, { description: 'b' })).status, 412);
    assert.equal((await on('DELETE', 'If-Match', held)).status, 412);
});

test('rate: what it holds waits without an attempt, and goes when there is no rate any more', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const id = await make(server, { url: hook.url, rate: { count: 1, per: 'hour' } });
    const events = [];
    for (let i = 0; i < 4; i++) events.push(await post(server));
    await hook.arrived(1);
    const held = (await delivery(server, events[3])).attributes;
    assert.deepEqual([held.state, held.attempt_count, held.in_flight], ['pending', 0, false]);
    assert.equal(hook.requests.length, 1);
    assert.equal((await patch(server, id, { rate: null })).rate, null);
    await hook.arrived(4);
});
