// One event, one owner, one URL: what arrives there, and what counts as arrived.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, makeUser, post, receiver, serve, setUrl, sha256 } from './harness.mjs';

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

test('path and query go out as they were given', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, `${there.url}/a%2Fb?x=1&y=`);
    await post(server);
    const [push] = await there.arrived(1);
    assert.equal(push.path, '/a%2Fb?x=1&y=');
});

test('204 is not 200: retried, and the reason says so', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await receiver(t, (request, number) =>
        number === 1 ? 'HTTP/1.1 204 No Content\r\n\r\n' : answer(200));
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(2);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    const { id: deliveryId } = await delivery(server, id);
    const shown = await api(server, 'GET', `/api/deliveries/${deliveryId}`);
    assert.match(shown.text, /unexpected_status/);
    assert.match(shown.text, /\b204\b/);
});

for (const status of [201, 202, 301, 400, 404, 410, 429, 500, 503]) {
    test(`${status} is tried again`, async (t) => {
        const server = await serve(t, { args: FAST });
        const there = await receiver(t, (request, number) => answer(number === 1 ? status : 200));
        await setUrl(server, there.url);
        const id = await post(server);
        await there.arrived(2);
        assert.equal(there.of(id).length, 2);
    });
}

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

test('a 307 to another host is not followed', async (t) => {
    const server = await serve(t, { args: FAST });
    const elsewhere = await receiver(t);
    const there = await receiver(t, () => answer(307, '', `Location: ${elsewhere.url}/steal\r\n`));
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(3);
    assert.equal(elsewhere.requests.length, 0);
    assert.match((await api(server, 'GET', `/api/deliveries/${(await delivery(server, id)).id}`)).text, /redirect/);
});

test('PATCH twice: later events go to the newer URL only', async (t) => {
    const server = await serve(t);
    const first = await receiver(t);
    const second = await receiver(t);
    await setUrl(server, first.url);
    await post(server);
    await first.arrived(1);
    await setUrl(server, second.url);
    for (let i = 0; i < 10; i++) await post(server);
    await second.arrived(10);
    assert.equal(first.requests.length, 1);
});

test('two users, two receivers, no crossing', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const [ana, leo] = [await makeUser(server, 'Ana'), await makeUser(server, 'Leo')];
    const [anas, leos] = [await receiver(t), await receiver(t)];
    await setUrl(server, anas.url, { id: ana.user_id, key: ana.api_key });
    await setUrl(server, leos.url, { id: leo.user_id, key: leo.api_key });
    const posted = { ana: new Set(), leo: new Set() };
    for (let i = 0; i < 20; i++) {
        posted.ana.add(await post(server, { user: ana.user_id }));
        posted.leo.add(await post(server, { key: leo.api_key }));
    }
    await anas.arrived(20);
    await leos.arrived(20);
    assert.deepEqual(new Set(anas.requests.map(({ id }) => id)), posted.ana);
    assert.deepEqual(new Set(leos.requests.map(({ id }) => id)), posted.leo);
    assert.ok(anas.requests.every((push) => push.header('WEBHOOK-AUTH') === sha256(ana.api_key)));
    assert.ok(leos.requests.every((push) => push.header('WEBHOOK-AUTH') === sha256(leo.api_key)));
});

test('the backoff grows threefold, up to given_up', async (t) => {
    /* 72 h at 100,000 times is 2.6 s: base 10 s is 0.1 ms, rounded up to 1 ms. */
    const server = await serve(t, { args: ['--time-scale', '100000'] });
    const there = await receiver(t, () => answer(500));
    await setUrl(server, there.url);
    const id = await post(server);
    const last = await eventually('given_up', async () => {
        const shown = await delivery(server, id);
        return shown.attributes.state === 'given_up' && shown;
    }, 60_000);
    const tries = there.of(id).length;
    assert.ok(tries >= 8, `${tries} attempts`);
    assert.equal(new Set(there.of(id).map((push) => push.body.toString('hex'))).size, 1, 'the same bytes each time');
    assert.ok(last);
});

test('a handler that polls before it answers is never kept waiting, 50 at once', async (t) => {
    const server = await serve(t);
    const polled = [];
    const there = await receiver(t, async (push) => {
        const seen = await api(server, 'GET', `/api/events/${push.id}`);
        polled.push(seen.status);
        return answer(seen.status === 200 && seen.json.data.id === push.id ? 200 : 500);
    });
    await setUrl(server, there.url);
    const ids = await Promise.all(Array.from({ length: 50 }, () => post(server)));
    await eventually('50 answers', () => polled.length >= 50);
    assert.deepEqual(new Set(polled), new Set([200]));
    assert.equal(there.requests.length, 50, 'each once');
    assert.deepEqual(new Set(there.requests.map(({ id }) => id)), new Set(ids));
});
