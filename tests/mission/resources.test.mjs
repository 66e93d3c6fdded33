// rows: 3, 18, 19
// Polling: events with a cursor, the latest snapshot of a resource, and handlers that ask the API before they answer.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { answer, api, eventually, makeUser, post, receiver, serve, setUrl } from '../e2e/harness.mjs';

const FREE = ['--rate-limit', '0'];

const payment = (state, { id = '1', type = 'payment_updated', ...rest } = {}) =>
    ({ type, resource: { type: 'payments', id }, attributes: { state }, ...rest });
const stateOf = ({ json }) => json.data.attributes.state;

/** Walks a list along links.next; every page is one request. */
async function pagesOf(server, path, key = server.api_key) {
    const pages = [];
    for (let next = path; next; next = pages.at(-1).links.next) {
        const { status, json, text } = await api(server, 'GET', next, undefined, { key });
        assert.equal(status, 200, text);
        pages.push(json);
    }
    return pages;
}

test('row 3: with no webhook_url set, a poller with a cursor sees every event exactly once', async (t) => {
    const server = await serve(t, { args: FREE });
    const expected = [], seen = [];
    let cursor = '', done = false;
    const poll = async () => {
        const after = cursor ? `&page[after]=${cursor}` : '';
        const { json } = await api(server, 'GET', `/api/events?page[size]=7${after}`);
        seen.push(...json.data.map((event) => event.id));
        cursor = json.meta.cursor ?? '';
        return json.data.length;
    };
    const produce = async () => {
        for (let i = 0; i < 40; i++) expected.push(await post(server, payment(`s${i}`)));
        done = true;
    };
    const producing = produce();
    while (!done) await poll();
    await producing;
    while (await poll());
    assert.deepEqual(seen, expected);
});

test('row 3: /api/TYPE/ID is the latest snapshot that events carried; a _destroyed one removes it', async (t) => {
    const server = await serve(t, { args: FREE });
    assert.equal((await api(server, 'GET', '/api/payments/1')).status, 404);
    await post(server, payment('pending'));
    assert.equal(stateOf(await api(server, 'GET', '/api/payments/1')), 'pending');
    const event = await post(server, payment('settled'));
    const { json, headers } = await api(server, 'GET', '/api/payments/1');
    assert.deepEqual(json.data, { type: 'payments', id: '1', attributes: { state: 'settled' },
                                  links: { self: '/api/payments/1' } });
    assert.equal(json.meta.event, event);
    assert.equal((await api(server, 'GET', '/api/payments/1', undefined,
        { headers: { 'If-None-Match': headers.get('etag') } })).status, 304);

    await server.end('SIGKILL');
    const again = await serve(t, { install: server, args: FREE });
    assert.equal(stateOf(await api(again, 'GET', '/api/payments/1')), 'settled');
    await post(again, payment('gone', { type: 'payment_destroyed' }));
    assert.equal((await api(again, 'GET', '/api/payments/1')).status, 404);
    assert.deepEqual((await api(again, 'GET', '/api/payments')).json.data, []);
});

test('row 3: a list of snapshots in pages, both ways, each once', async (t) => {
    const server = await serve(t, { args: FREE });
    const ids = Array.from({ length: 11 }, (_, i) => `p${String(i).padStart(2, '0')}`);
    for (const id of [...ids].reverse()) await post(server, payment('old', { id }));
    for (const id of ids) await post(server, payment('new', { id }));
    for (const [sort, order] of [['id', ids], ['-id', [...ids].reverse()]]) {
        const pages = await pagesOf(server, `/api/payments?page[size]=4&sort=${sort}`);
        assert.deepEqual(pages.map((page) => page.data.length), [4, 4, 3]);
        assert.deepEqual(pages.flatMap((page) => page.data.map(({ id }) => id)), order);
        assert.ok(pages.every((page) => page.data.every(({ attributes }) => attributes.state === 'new')));
        const back = (await api(server, 'GET', pages[2].links.prev)).json;
        assert.deepEqual(back.data, pages[1].data);
        assert.deepEqual((await api(server, 'GET', back.links.prev)).json.data, pages[0].data);
        assert.deepEqual((await api(server, 'GET', pages[2].links.first)).json.data, pages[0].data);
    }
    const { json } = await api(server, 'GET', '/api/payments?fields[payments]=&page[size]=1');
    assert.deepEqual(json.data, [{ type: 'payments', id: 'p00', links: { self: '/api/payments/p00' } }]);
    assert.match(json.links.next, /fields%5Bpayments%5D=&/);
    assert.equal((await api(server, 'GET', '/api/paymentz')).status, 404);
    assert.equal((await api(server, 'GET', '/api/withdrawal_instructions')).status, 200); // in the catalogue
});

test('row 3: a Master keeps a snapshot current with PUT, PATCH and DELETE', async (t) => {
    const server = await serve(t, { args: FREE });
    const user = await makeUser(server);
    const as = { key: `${server.api_key}; user=${user.user_id}` };
    const body = (attributes, relationships) =>
        ({ data: { type: 'payments', attributes, ...(relationships ? { relationships } : {}) } });
    const put = (state, options) => api(server, 'PUT', '/api/payments/a%2Fb', body({ state, amount: 1 }), options);

    const made = await put('pending', as);
    assert.equal(made.status, 201);
    assert.equal(made.headers.get('location'), '/api/payments/a%2Fb');
    assert.equal((await put('settled', as)).status, 200);
    assert.equal((await api(server, 'GET', '/api/payments/a%2Fb')).status, 404); // it is the user's
    const own = await api(server, 'GET', '/api/payments/a%2Fb', undefined, { key: user.api_key });
    assert.deepEqual(own.json.data.attributes, { state: 'settled', amount: 1 });

    const change = body({ amount: 2, note: null }, { user: { data: { type: 'users', id: user.user_id } } });
    assert.equal((await api(server, 'PATCH', '/api/payments/a%2Fb', change)).status, 200);
    const changed = await api(server, 'GET', `/api/payments/a%2Fb?filter[user]=${user.user_id}`);
    assert.deepEqual(changed.json.data.attributes, { state: 'settled', amount: 2, note: null });
    assert.deepEqual(changed.json.data.relationships, { user: { data: { type: 'users', id: user.user_id } } });

    const stale = { ...as, headers: { 'If-Match': made.headers.get('etag') } };
    assert.equal((await put('late', stale)).status, 412);
    assert.equal((await api(server, 'DELETE', '/api/payments/a%2Fb', undefined, stale)).status, 412);
    assert.equal((await put('mine', { key: user.api_key })).status, 403);
    assert.equal((await api(server, 'PUT', '/api/payments/1', { data: { type: 'quotes' } }, as)).status, 409);
    assert.equal((await api(server, 'PUT', '/api/payments/1', { data: { type: 'payments', id: '2' } }, as)).status, 409);
    assert.equal((await api(server, 'PATCH', '/api/payments/1', body({}), as)).status, 404);

    await post(server, payment('by an event', { id: 'a/b', user: user.user_id })); // the last word counts
    assert.equal(stateOf(await api(server, 'GET', '/api/payments/a%2Fb', undefined, as)), 'by an event');
    assert.equal((await api(server, 'DELETE', '/api/payments/a%2Fb', undefined, as)).status, 204);
    assert.equal((await api(server, 'DELETE', '/api/payments/a%2Fb', undefined, as)).status, 404);
    assert.equal((await api(server, 'GET', '/api/payments/a%2Fb', undefined, as)).status, 404);
});

test('row 3: a type with the name of a route is at /api/resources/TYPE; the route keeps its own', async (t) => {
    const server = await serve(t, { args: FREE });
    await post(server, { type: 'user_enabled', resource: { type: 'users', id: '5' }, attributes: { level: 'two' } });
    const { json } = await api(server, 'GET', '/api/resources/users/5');
    assert.deepEqual(json.data, { type: 'users', id: '5', attributes: { level: 'two' },
                                  links: { self: '/api/resources/users/5' } });
    assert.equal((await api(server, 'GET', '/api/users/5')).json.data.attributes.level, undefined);
    assert.equal((await api(server, 'GET', '/api/resources/users')).json.data.length, 1);
    await post(server, payment('pending'));
    assert.equal((await api(server, 'GET', '/api/resources/payments/1')).json.data.links.self, '/api/payments/1');
});

test('row 18: the snapshot of that moment is pushed even if the resource is gone by then', async (t) => {
    const server = await serve(t, { args: [...FREE, '--backoff-base', '1s'] });
    const there = await receiver(t, (request, number) => answer(number === 1 ? 500 : 200));
    await setUrl(server, there.url);
    const id = await post(server, payment('pending'));
    await there.arrived(1);
    await api(server, 'DELETE', '/api/payments/1');
    const gone = await post(server, payment('gone', { type: 'payment_destroyed' }));
    assert.equal((await api(server, 'GET', '/api/payments/1')).status, 404);
    const [first, second] = await eventually('the retry', () => there.of(id).length >= 2 && there.of(id));
    assert.deepEqual(second.body, first.body);
    assert.deepEqual(second.json.included, [{ type: 'payments', id: '1', attributes: { state: 'pending' } }]);
    await eventually('the end of it, too', () => there.of(gone).length > 0);
    const { json } = await api(server, 'GET', `/api/events/${id}?include=resource`);
    assert.deepEqual(json.included, second.json.included);
    assert.equal((await api(server, 'GET', '/api/payments/1')).status, 404);
});

test('row 19: handlers that poll before they answer, fifty at once, are never kept waiting', async (t) => {
    const server = await serve(t, { args: FREE });
    // Fifty users with one URL, as an endpoint that has never answered is sent a few at a time.
    const users = await Promise.all(Array.from({ length: 50 }, () => makeUser(server)));
    const keys = new Map(users.map(({ user_id, api_key }) => [user_id, api_key]));
    const polled = new Map();
    let handling = 0, everybody;
    const allHere = new Promise((resolve) => (everybody = resolve));
    const handler = http.createServer(async (request, response) => {
        let body = '';
        for await (const piece of request) body += piece;
        const { data } = JSON.parse(body);
        if (++handling === users.length) everybody();
        await allHere; // all are being handled, and none has been answered
        const { type, id } = data.relationships.resource.data;
        const own = { key: keys.get(id) };
        const [resource, event, list] = await Promise.all([
            api(server, 'GET', `/api/${type}/${id}`, undefined, own),
            api(server, 'GET', `/api/events/${data.id}`, undefined, own),
            api(server, 'GET', '/api/events?page[size]=1', undefined, own),
        ]);
        polled.set(data.id, {
            snapshot: resource.json.meta.event === data.id && resource.json.data.attributes.state,
            sent_at: event.json.data.attributes.sent_at === data.attributes.sent_at,
            listed: list.json.data[0].id,
        });
        response.end('{"status":"success"}');
    });
    await new Promise((resolve) => handler.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        handler.closeAllConnections();
        handler.close();
    });
    const url = `http://127.0.0.1:${handler.address().port}/hook`;
    for (const { user_id, api_key } of users) await setUrl(server, url, { id: user_id, key: api_key });
    const events = [];
    for (const { user_id } of users) events.push(await post(server, payment('pending', { id: user_id, user: user_id })));
    await eventually('all are handled', () => polled.size === users.length);
    for (const id of events) assert.deepEqual(polled.get(id), { snapshot: 'pending', sent_at: true, listed: id });
});
