// The endpoints of a user, and the events that go to each.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, makeUser, post, receiver, serve, setUrl } from './harness.mjs';

const make = (server, attributes, { user, key } = {}) =>
    api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes,
        ...(user && { relationships: { user: { data: { type: 'users', id: user } } } }) } }, { key });
const patch = (server, id, attributes, options) =>
    api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } }, options);
const made = async (...args) => {
    const answer = await make(...args);
    assert.equal(answer.status, 201, answer.text);
    return answer.json.data.id;
};
const bodies = (hook) => hook.requests.map((request) => JSON.parse(request.body));
const types = (hook) => bodies(hook).map((body) => body.data.attributes.event_type);

async function postEvent(server, options = {}, attributes = {}) {
    const body = eventBody(options);
    Object.assign(body.data.attributes, attributes);
    const answer = await api(server, 'POST', '/api/events', body);
    assert.equal(answer.status, 201, answer.text);
    return answer;
}

test('resource: an endpoint is made, shown, listed, changed and deleted; its secret is told once', async (t) => {
    const server = await serve(t);
    const answer = await make(server, { url: 'https://example.com/a', description: 'accounting', metadata: { team: 'a', 'cost center': '7' },
        event_types: ['payment_*', 'user_enabled'], channels: ['eu'], filter: { data: { attributes: { event_type: [{ prefix: 'p' }] } } },
        status: 'paused', in_flight_max: 7, rate: { count: 100, per: 'minute' }, ordered: true, format: 'thin', success: '2xx', disable_on_410: true, disable_after: 30 });
    assert.equal(answer.status, 201, answer.text);
    const { id, attributes, relationships } = answer.json.data;
    assert.match(answer.json.meta.signing_secret, /^whsec_/);
    assert.equal(answer.headers.get('location'), `/api/endpoints/${id}`);
    assert.deepEqual({ ...attributes, created_at: 0, updated_at: 0, paused_at: 0 }, { url: 'https://example.com/a', description: 'accounting',
        metadata: { team: 'a', 'cost center': '7' }, event_types: ['payment_*', 'user_enabled'], channels: ['eu'],
        filter: { data: { attributes: { event_type: [{ prefix: 'p' }] } } }, status: 'paused', paused_at: 0, disabled_reason: null, in_flight_max: 7,
        rate: { count: 100, per: 'minute' }, ordered: true, format: 'thin', success: '2xx', retry: null, timeout: null, disable_on_410: true, disable_after: 30, signatures: ['webhook-auth', 'standard'], headers: {}, auth: null,
        created_at: 0, updated_at: 0 });
    assert.equal(relationships.user.data.id, server.user_id);

    const shown = await api(server, 'GET', `/api/endpoints/${id}`);
    assert.deepEqual(shown.json.data, answer.json.data);
    assert.equal(shown.json.meta?.signing_secret, undefined);
    const known = await api(server, 'GET', `/api/endpoints/${id}`, undefined, { headers: { 'If-None-Match': shown.headers.get('etag') } });
    assert.equal(known.status, 304);

    const changed = await patch(server, id, { event_types: null, filter: null, channels: null, metadata: null, description: null, status: 'active' },
                                { headers: { 'If-Match': shown.headers.get('etag') } });
    assert.equal(changed.status, 200, changed.text);
    const { event_types, filter, channels, metadata, description, status, url } = changed.json.data.attributes;
    assert.deepEqual([event_types, filter, channels, metadata, description, status, url],
                     [null, null, [], {}, null, 'active', 'https://example.com/a']);
    assert.equal((await patch(server, id, { url: null }, { headers: { 'If-Match': shown.headers.get('etag') } })).status, 412);

    const listed = await api(server, 'GET', '/api/endpoints');
    assert.deepEqual(listed.json.data.map((one) => one.id), [server.user_id, id]);
    assert.equal((await api(server, 'DELETE', `/api/endpoints/${server.user_id}`)).json.errors[0].code, 'default_endpoint');
    assert.equal((await api(server, 'DELETE', `/api/endpoints/${id}`)).status, 204);
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`)).status, 404);
    assert.equal((await api(server, 'DELETE', `/api/endpoints/${id}`)).status, 404);
});

test("resource: the default endpoint is the user's webhook_url, whichever of the two is written", async (t) => {
    const server = await serve(t);
    await setUrl(server, 'http://127.0.0.1:9009/a');
    const endpoint = await api(server, 'GET', `/api/endpoints/${server.user_id}`);
    assert.equal(endpoint.json.data.attributes.url, 'http://127.0.0.1:9009/a');
    assert.equal((await patch(server, server.user_id, { url: 'http://127.0.0.1:9009/b', status: 'paused' })).status, 200);
    const user = await api(server, 'GET', '/api/users/me');
    assert.deepEqual([user.json.data.attributes.webhook_url, user.json.data.attributes.paused], ['http://127.0.0.1:9009/b', true]);
});

test('resource: a user sees and changes its own endpoints, a Master those of its users', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '1000'] });
    const [one, other] = [await makeUser(server), await makeUser(server)];
    assert.deepEqual((await api(server, 'GET', '/api/endpoints', undefined, { key: other.api_key })).json.data.map((row) => row.id), [other.user_id]);
    const id = await made(server, { url: 'https://example.com/' }, { user: one.user_id });
    assert.deepEqual((await api(server, 'GET', `/api/users/${one.user_id}/endpoints`)).json.data.map((row) => row.id), [one.user_id, id]);
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`, undefined, { key: one.api_key })).status, 200);
    for (const [method, body] of [['GET'], ['DELETE'], ['PATCH', { data: { type: 'endpoints', attributes: { url: null } } }]])
        assert.equal((await api(server, method, `/api/endpoints/${id}`, body, { key: other.api_key })).status, 404, method);
    assert.equal((await api(server, 'GET', `/api/users/${one.user_id}/endpoints`, undefined, { key: other.api_key })).status, 404);
    assert.equal((await make(server, { url: null }, { user: one.user_id, key: other.api_key })).status, 403);
});

test('event_types: an endpoint gets those that it lists, a trailing * matches the rest', async (t) => {
    const server = await serve(t);
    const [all, payments, one] = [await receiver(t), await receiver(t), await receiver(t)];
    await setUrl(server, all.url);
    const paymentsId = await made(server, { url: payments.url, event_types: ['payment_*'] });
    const oneId = await made(server, { url: one.url, event_types: ['user_enabled', 'payment_settled'] });
    const events = [];
    for (const type of ['payment_settled', 'payment_pending', 'user_enabled', 'payment'])
        events.push(await postEvent(server, { type }));
    await all.arrived(4);
    await payments.arrived(2);
    await one.arrived(2);
    assert.deepEqual(types(payments).sort(), ['payment_pending', 'payment_settled']);
    assert.deepEqual(types(one).sort(), ['payment_settled', 'user_enabled']);
    const shown = await api(server, 'GET', `/api/events/${events[1].json.data.id}`);
    assert.deepEqual(shown.json.meta.unmatched, [{ endpoint: oneId, reason: 'type' }]);
    const last = await api(server, 'GET', `/api/events/${events[3].json.data.id}`);
    assert.deepEqual(last.json.meta.unmatched.map(({ endpoint }) => endpoint), [paymentsId, oneId]);
});

test('channels: both set, one must be common; an event with goes to an endpoint without, not the other way round', async (t) => {
    const server = await serve(t);
    const [without, eu] = [await receiver(t), await receiver(t)];
    await setUrl(server, without.url);
    await made(server, { url: eu.url, channels: ['eu', 'uk'] });
    for (const channels of [undefined, [], ['us'], ['us', 'eu']]) await postEvent(server, {}, { channels });
    await without.arrived(4);
    await eu.arrived(1);
    const listed = await api(server, 'GET', '/api/events?sort=-id&page[size]=1');
    const shown = await api(server, 'GET', `/api/events/${listed.json.data[0].id}`);
    assert.deepEqual(shown.json.meta.channels, ['us', 'eu']);
    assert.equal(shown.json.data.attributes.channels, undefined);
    assert.equal(eu.requests.length, 1);
    for (const body of [...bodies(eu), ...bodies(without)]) assert.equal(JSON.stringify(body).includes('channels'), false);
});

test('filter: judged on the pushed document; an event that no endpoint wants says so, and is repeated as it was', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const id = await made(server, { url: hook.url, filter: { included: { attributes: { amount: [{ numeric: ['>=', 100] }], currency: ['USD'] } } } });
    const body = (amount, currency) => ({ resource: { type: 'payments', id: '7' }, attributes: { amount, currency } });
    const headers = { 'Idempotency-Key': 'one' };
    const small = await api(server, 'POST', '/api/events', eventBody(body(99.5, 'USD')), { headers });
    assert.equal(small.json.meta.deliveries, 0);
    assert.match(small.json.meta.note, /no endpoint wants it/);
    const again = await api(server, 'POST', '/api/events', eventBody(body(99.5, 'USD')), { headers });
    assert.deepEqual([again.status, again.json], [201, small.json]);
    await postEvent(server, body(100, 'EUR'));
    const large = await postEvent(server, body(100.0, 'USD'));
    await hook.arrived(1);
    assert.equal(bodies(hook)[0].data.id, large.json.data.id);
    const shown = await api(server, 'GET', `/api/events/${small.json.data.id}`);
    assert.deepEqual(shown.json.meta.unmatched, [{ endpoint: id, reason: 'filter' }]);
    assert.equal((await api(server, 'GET', `/api/events/${small.json.data.id}/deliveries`)).json.data.length, 0);
    assert.equal((await patch(server, id, { filter: null })).status, 200);
    await postEvent(server, body(1, 'USD'));
    await hook.arrived(2);
});

test('bad input: each attribute has its code and its pointer, and nothing is half set', async (t) => {
    const server = await serve(t);
    const id = await made(server, { url: 'https://example.com/' });
    const before = (await api(server, 'GET', `/api/endpoints/${id}`)).text;
    const long = (length) => 'x'.repeat(length);
    const rows = [
        [{ url: 'ftp://example.com/' }, 'url_scheme', '/url'],
        [{ url: 'http://169.254.169.254/' }, null, '/url'],
        [{ url: 7 }, 'attribute_invalid', '/url'],
        [{ description: long(1025) }, 'attribute_invalid', '/description'],
        [{ metadata: [] }, 'attribute_invalid', '/metadata'],
        [{ metadata: { a: 1 } }, 'attribute_invalid', '/metadata/a'],
        [{ metadata: { [long(65)]: 'b' } }, 'attribute_invalid', '/metadata'],
        [{ metadata: { 'a/b': long(513) } }, 'attribute_invalid', '/metadata/a~1b'],
        [{ metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])) }, 'attribute_invalid', '/metadata'],
        [{ event_types: [] }, 'attribute_invalid', '/event_types'],
        [{ event_types: 'payment_settled' }, 'attribute_invalid', '/event_types'],
        [{ event_types: ['payment_settled', 'a b'] }, 'attribute_invalid', '/event_types/1'],
        [{ event_types: ['*_settled'] }, 'attribute_invalid', '/event_types/0'],
        [{ event_types: ['a', 'a'] }, 'attribute_invalid', '/event_types/1'],
        [{ event_types: Array.from({ length: 101 }, (_, i) => `t${i}`) }, 'attribute_invalid', '/event_types'],
        [{ channels: ['a b'] }, 'attribute_invalid', '/channels/0'],
        [{ channels: [long(65)] }, 'attribute_invalid', '/channels/0'],
        [{ channels: Array.from({ length: 11 }, (_, i) => `c${i}`) }, 'attribute_invalid', '/channels'],
        [{ filter: [] }, 'filter_invalid', '/filter'],
        [{ filter: { a: 'x' } }, 'filter_invalid', '/filter/a'],
        [{ filter: { a: [{ wildcard: '*' }] } }, 'filter_invalid', '/filter/a/0/wildcard'],
        [{ filter: { a: [long(4096)] } }, 'attribute_invalid', '/filter'],
        ...['disabled', 'Active', null, true].map((status) => [{ status }, 'attribute_invalid', '/status']),
        [{ disabled_reason: 'gone' }, 'attribute_read_only', '/disabled_reason'],
        ...[0, 257, 1.5, '7', [], true].map((in_flight_max) => [{ in_flight_max }, 'attribute_invalid', '/in_flight_max']),
        ...[5, '5', [], {}, { count: 5 }, { per: 'hour' }].map((rate) => [{ rate }, 'attribute_invalid', '/rate']),
        ...[0, 100001, -1, 1.5, '5', null].map((count) => [{ rate: { count, per: 'hour' } }, 'attribute_invalid', '/rate/count']),
        ...['day', 'Second', 1, null].map((per) => [{ rate: { count: 5, per } }, 'attribute_invalid', '/rate/per']),
        [{ rate: { count: 5, per: 'hour', burst: 2 } }, 'attribute_invalid', '/rate/burst'],
        ...[1, 'yes', null].map((ordered) => [{ ordered }, 'attribute_invalid', '/ordered']),
        ...['Guide', 'cloudevents-structured', '', 0, null, []].map((format) => [{ format }, 'attribute_invalid', '/format']),
        [{ signatures: [] }, 'attribute_invalid', '/signatures'],
        ...['Stripe', 'standard-rsa', 7, null].map((name) => [{ signatures: ['github', name] }, 'attribute_invalid', '/signatures/1']),
        [{ signatures: ['github', 'github'] }, 'attribute_invalid', '/signatures/1'],
        [{ signatures: 'github' }, 'attribute_invalid', '/signatures'],
        ...[5, '5', [], {}, true, { schedule: [5], base: 5 }].map((retry) => [{ retry }, 'attribute_invalid', '/retry']),
        ...[[], 5, null, Array.from({ length: 101 }, () => 1)].map((schedule) => [{ retry: { schedule } }, 'attribute_invalid', '/retry/schedule']),
        ...[0, -1, 1.5, '5', null, 1209601].map((step) => [{ retry: { schedule: [5, step] } }, 'attribute_invalid', '/retry/schedule/1']),
        [{ retry: { schedule: [604800, 604800, 1] } }, 'retry_limit', '/retry/schedule/2'], /* 14 days and a second */
        ...['base', 'factor', 'cap', 'window'].flatMap((name) =>
            [0, -1, 1.5, '5', null, 1209601].map((number) => [{ retry: { [name]: number } }, 'attribute_invalid', `/retry/${name}`])),
        [{ retry: { factor: 101 } }, 'attribute_invalid', '/retry/factor'],
        [{ retry: { jitter: 5 } }, 'attribute_invalid', '/retry/jitter'],
        [{ retry: { base: 61, cap: 60 } }, 'retry_limit', '/retry'],
        [{ retry: { cap: 9 } }, 'retry_limit', '/retry'], /* the setting of base is 10 s */
        [{ retry: { base: 60, factor: 1, window: 6001 } }, 'retry_limit', '/retry'], /* 101 retries */
        ...[0, 61, -1, 1.5, '7', [], true].map((timeout) => [{ timeout }, 'attribute_invalid', '/timeout']),
        ...['201', 200, false, [], {}].map((success) => [{ success }, 'attribute_invalid', '/success']),
        ...[199, 300, 302, 2000, '201', null, 200.5].map((code) => [{ success: [200, code] }, 'attribute_invalid', '/success/1']),
        [{ success: [200, 202, 200] }, 'attribute_invalid', '/success/2'],
        [{ disable_on_410: 'yes' }, 'attribute_invalid', '/disable_on_410'],
        ...[0, 366, 1.5, '7', [], true].map((disable_after) => [{ disable_after }, 'attribute_invalid', '/disable_after']),
        [{ created_at: '2000-01-01T00:00:00.000Z' }, 'attribute_read_only', '/created_at'],
        [{ color: 'blue' }, 'attribute_unknown', '/color'],
    ];
    for (const [attributes, code, pointer] of rows) {
        const answer = await patch(server, id, { description: 'half', ...attributes });
        const shown = JSON.stringify(attributes).slice(0, 60);
        assert.ok(answer.status === 422 || answer.status === 403, `${shown}: ${answer.text}`);
        if (code) assert.equal(answer.json.errors[0].code, code, shown);
        assert.equal(answer.json.errors[0].source.pointer, `/data/attributes${pointer}`, shown);
    }
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`)).text, before);
    for (const channels of ['eu', ['a', 'b', 'c', 'd', 'e', 'f'], [''], [7]]) {
        const body = eventBody();
        body.data.attributes.channels = channels;
        const answer = await api(server, 'POST', '/api/events', body);
        assert.equal(answer.status, 422, answer.text);
        assert.match(answer.json.errors[0].source.pointer, /^\/data\/attributes\/channels/);
    }
});

test('at most 100 endpoints a user; one event goes to each', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    for (let i = 1; i < 100; i++) await made(server, { url: hook.url });
    const answer = await make(server, { url: hook.url });
    assert.deepEqual([answer.status, answer.json.errors[0].code], [409, 'too_many_endpoints']);
    await post(server);
    await hook.arrived(100);
});

test('at most 100: a setting makes it fewer', async (t) => {
    const server = await serve(t, { args: ['--endpoints-max', '2'] });
    await made(server, { url: 'https://example.com/' });
    const answer = await make(server, { url: 'https://example.com/' });
    assert.deepEqual([answer.status, answer.json.errors[0].code], [409, 'too_many_endpoints']);
    assert.match(answer.json.errors[0].detail, /has 2 endpoints.*endpoints-max/);
});

test('an Idempotency-Key makes one endpoint, and does not show its secret again', async (t) => {
    const server = await serve(t);
    const headers = { 'Idempotency-Key': 'one' };
    const body = (url) => ({ data: { type: 'endpoints', attributes: { url } } });
    const first = await api(server, 'POST', '/api/endpoints', body('https://example.com/'), { headers });
    const again = await api(server, 'POST', '/api/endpoints', body('https://example.com/'), { headers: { 'Idempotency-Key': '"one"' } });
    assert.deepEqual([first.status, again.status, again.json.data.id], [201, 201, first.json.data.id]);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.equal(again.json.meta.signing_secret, undefined);
    const other = await api(server, 'POST', '/api/endpoints', body('https://example.org/'), { headers });
    assert.equal(other.status, 422, other.text);
    assert.equal((await api(server, 'GET', '/api/endpoints')).json.data.length, 2);
});

for (const status of [429, 503])
    test(`Retry-After: a ${status} holds the whole endpoint, not one delivery; what waits uses up no attempt, and a sibling goes on`, async (t) => {
        const server = await serve(t);
        const busy = await receiver(t, (request, number) => (number === 2 ? answer(status, '', 'Retry-After: 3600\r\n') : answer(200)));
        const soon = await receiver(t, (request, number) => answer(number === 2 ? status : 200)); // refuses once, without the header
        await made(server, { url: busy.url });
        await made(server, { url: soon.url });
        const of = async (event) => (await api(server, 'GET', `/api/events/${event}/deliveries`)).json.data[0].attributes; // of the first endpoint
        const known = (await postEvent(server)).json.data.id;
        await eventually('it answers well', async () => (await of(known)).state === 'delivered');
        const first = (await postEvent(server)).json.data.id;
        await eventually('it is refused', async () => (await of(first)).attempt_count === 1);
        const later = [];
        for (let i = 0; i < 5; i++) later.push((await postEvent(server)).json.data.id);
        await soon.arrived(7); // by then the other would have been tried again as well
        assert.equal(busy.requests.length, 2);
        for (const event of later) assert.deepEqual([(await of(event)).state, (await of(event)).attempt_count], ['pending', 0]);
    });

test('status: a paused endpoint collects deliveries and attempts none; active again, they go in order', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const id = await made(server, { url: hook.url, status: 'paused' });
    const posted = [];
    for (let i = 0; i < 5; i++) posted.push((await postEvent(server)).json.data.id);
    const waits = await api(server, 'GET', `/api/events/${posted[4]}/deliveries`);
    assert.deepEqual([waits.json.data[0].attributes.state, hook.requests.length], ['pending', 0]);
    await patch(server, id, { status: 'active' });
    await hook.arrived(5);
    assert.deepEqual(bodies(hook).map((body) => body.data.id).sort(), posted);
    await eventually('the log says so', () => server.stderr.includes(`endpoint=${id} by_user=${server.user_id}`));
});

test('status: disabled: a 410 disables, deliveries wait, and an endpoint that is enabled again gets them in order', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '200'] }); /* a retry comes soon */
    let status = 410;
    const hook = await receiver(t, () => answer(status));
    const id = await made(server, { url: hook.url, disable_on_410: true });
    const shown = async () => {
        const { attributes } = (await api(server, 'GET', `/api/endpoints/${id}`)).json.data;
        return [attributes.status, attributes.disabled_reason];
    };
    const posted = [await post(server)];
    await eventually('disabled', async () => (await shown())[0] === 'disabled');
    assert.deepEqual(await shown(), ['disabled', 'gone']);
    await eventually('the log says so', () => server.stderr.includes(`endpoint is disabled: user=${server.user_id} endpoint=${id} status=410`));
    for (let i = 0; i < 4; i++) posted.push(await post(server));
    for (const event of posted) assert.equal((await delivery(server, event)).attributes.state, 'pending');
    assert.equal(hook.requests.length, 1);

    assert.equal((await patch(server, id, { status: 'disabled' })).status, 422);
    assert.equal((await patch(server, id, { description: 'still off' })).json.data.attributes.status, 'disabled');
    assert.deepEqual(await shown(), ['disabled', 'gone']);
    assert.equal((await patch(server, id, { status: 'paused' })).json.data.attributes.disabled_reason, null);
    assert.deepEqual(await shown(), ['paused', null]);
    status = 200;
    assert.equal((await patch(server, id, { status: 'active', ordered: true })).status, 200);
    assert.deepEqual(await shown(), ['active', null]);
    await hook.arrived(6);
    assert.deepEqual(bodies(hook).slice(1).map((body) => body.data.id), posted);
});

test('status: disabled: the user of a disabled default endpoint is shown as paused, and may enable it so', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t, () => answer(410));
    await setUrl(server, hook.url);
    const set = (attributes) => api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: server.user_id, attributes } });
    const endpoint = async () => (await api(server, 'GET', `/api/endpoints/${server.user_id}`)).json.data.attributes.status;
    await set({ disable_on_410: true });
    await post(server);
    await eventually('disabled', async () => await endpoint() === 'disabled');
    assert.equal((await api(server, 'GET', '/api/users/me')).json.data.attributes.paused, true);
    await set({ webhook_url: 'http://127.0.0.1:9009/b', paused: false });
    assert.equal(await endpoint(), 'active');
});
