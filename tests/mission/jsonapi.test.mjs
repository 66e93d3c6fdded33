// rows: 8, 42, 45, 46
// JSON:API 1.1 throughout. The harness checks every answer of every test against jsonapi-schema.mjs; here are the rules that a
// schema cannot state, and a test that the schema can fail.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, delivery, eventually, eventBody, makeUser, post, receiver, serve, setUrl } from '../e2e/harness.mjs';
import { checkDocument } from '../e2e/jsonapi-schema.mjs';

const FREE = ['--rate-limit', '0'];
const get = (server, path, options) => api(server, 'GET', path, undefined, options);

/** The texts of data and of included, as they stand in a pushed document. */
function partsOf(body) {
    const text = body.toString('utf8');
    const begin = '{"data":'.length;
    for (let end = begin + 1, depth = 1, quoted = false; ; end++) {
        const c = text[end];
        if (quoted) {
            if (c === '\\') end++;
            else quoted = c !== '"';
        } else if (c === '"') quoted = true;
        else if (c === '{') depth++;
        else if (c === '}' && --depth === 0)
            return { data: text.slice(begin, end + 1), rest: text.slice(end + 1, -1) };
    }
}

/** What the API shows of an event is what was pushed, byte for byte, between links and meta that it adds. */
async function samePush(server, request) {
    const { id } = request;
    const { data, rest } = partsOf(request.body);
    const { text, json } = await get(server, `/api/events/${id}?include=resource`);
    const links = `{"self":"/api/events/${id}"}`;
    const asked = `{"self":"/api/events/${id}?include=resource"}`;
    assert.equal(text, `{"jsonapi":{"version":"1.1"},"links":${asked},"data":${data.slice(0, -1)},"links":${links},` +
        `"meta":${JSON.stringify(json.data.meta)}}${rest || ',"included":[]'}}`);
}

test('row 8: what is pushed and what is polled are the same bytes', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    await setUrl(server, there.url);
    const odd = JSON.stringify(eventBody({ resource: { type: 'payments', id: 'a"b\\é€' } }))
        .replace('{"name":"Ana"}', '{"amount":1.10000000000000,"big":9007199254740993,"e":1E+2,"x":"\\u00e9\\/\\u2028",' +
            '"nested":{"a":[{},[],null,true,"}]"]}}');
    assert.equal((await api(server, 'POST', '/api/events', odd)).status, 201);
    const bare = { data: { type: 'events', attributes: { event_type: 'bare' } } };
    assert.equal((await api(server, 'POST', '/api/events', bare)).status, 201);
    const { json } = await get(server, '/api/event_types');
    assert.ok(json.data.length >= 19);
    for (const { attributes } of json.data) {
        const { data, included } = attributes.example;
        const made = await api(server, 'POST', '/api/events', { data, ...(included ? { included } : {}) });
        assert.equal(made.status, 201, made.text);
    }
    const requests = await there.arrived(json.data.length + 2);
    for (const request of requests) {
        checkDocument(request.json);
        assert.equal(request.header('Content-Type'), 'application/json');
        await samePush(server, request);
    }
    assert.match(requests.map(({ body }) => String(body)).join(''), /"amount":1\.10000000000000,"big":9007199254740993/);
});

test('JSON:API: the schema tells wrong documents from right ones', () => {
    const resource = { type: 'a', id: '1' };
    const linked = { ...resource, relationships: { b: { data: { type: 'b', id: '1' } } } };
    for (const right of [{ data: null }, { data: [] }, { meta: {} }, { data: resource, jsonapi: { version: '1.1' } },
                         { errors: [{ id: 'x', status: '404', code: 'c', title: 't', detail: 'd' }] },
                         { data: linked, included: [{ type: 'b', id: '1' }] }])
        checkDocument(right);
    for (const wrong of [
        null, [], {}, { data: [], errors: [] }, { data: [], more: 1 }, { included: [] }, { data: { type: 'a' } },
        { data: { type: 'a', id: 1 } }, { data: { id: '1' } }, { data: 'a' }, { data: [[]] },
        { data: resource, jsonapi: { version: '1.0' } }, { data: { ...resource, attributes: [] } },
        { data: { ...resource, attributes: { id: 1 } } }, { data: { ...resource, attributes: { 'a b ': 1 } } },
        { data: { ...linked, attributes: { b: 1 } } }, { data: { ...resource, extra: 1 } },
        { data: { ...resource, relationships: { b: {} } } },
        { data: { ...resource, relationships: { b: { data: { type: 'b' } } } } },
        { data: resource, links: { self: 1 } }, { data: resource, links: { mine: '/' } }, { data: resource, meta: 1 },
        { errors: [] }, { errors: [{}] }, { errors: [{ id: 'x', status: 404, code: 'c', title: 't', detail: 'd' }] },
        { errors: [{ id: 'x', status: '404', code: 'c', title: 't', detail: 'd', source: { pointer: 'data' } }] },
        { data: resource, included: [{ type: 'b', id: '1' }] }, { data: linked, included: [linked] },
        { data: linked, included: [{ type: 'b', id: '1' }, { type: 'b', id: '1' }] },
    ])
        assert.throws(() => checkDocument(wrong), /JSON:API/, JSON.stringify(wrong));
});

test('JSON:API: what nothing leads to is neither accepted nor passed by the schema', async (t) => {
    const server = await serve(t, { args: FREE });
    const body = eventBody({ resource: { type: 'payments', id: '1' } });
    body.included.push({ type: 'strays', id: '1' });
    const refused = await api(server, 'POST', '/api/events', body);
    assert.deepEqual([refused.status, refused.json.errors[0].source], [422, { pointer: '/included/1' }]);
    assert.throws(() => checkDocument({ ...body, data: { ...body.data, id: '1' } }), /nothing leads to/);
});

test('rows 45, 46: media types and refusals as the specification has them', async (t) => {
    const server = await serve(t, { args: FREE });
    const user = await makeUser(server);
    const vnd = 'application/vnd.api+json';
    const ask = async (status, method, path, { body, accept, type, key, ...more } = {}) => {
        const headers = { ...(accept ? { Accept: accept } : {}), ...(type ? { 'Content-Type': type } : {}), ...more };
        const { status: got, text, headers: answered } = await api(server, method, path, body, { key, headers });
        assert.equal(got, status, `${method} ${path} ${JSON.stringify(headers)}: ${text}`);
        return answered;
    };
    const change = { data: { type: 'users', attributes: { name: 'Ana' } } };
    const me = '/api/users/me';
    for (const [accept, type] of [[vnd, vnd], ['*/*', vnd], ['application/json', 'application/json'],
                                  [`${vnd};profile="https://example.com/p"`, vnd], [`text/html, ${vnd};q=0.1`, vnd]])
        assert.equal((await ask(200, 'GET', me, { accept })).get('content-type'), type);
    for (const accept of ['text/html', `${vnd};charset=utf-8`, `${vnd};ext="https://example.com/e"`])
        await ask(406, 'GET', me, { accept });
    for (const type of [vnd, 'application/json', 'application/json; charset=utf-8', `${vnd};profile=x`])
        await ask(200, 'PATCH', me, { body: change, type });
    for (const type of [`${vnd};charset=utf-8`, `${vnd};ext=x`, 'text/plain', 'application/json; charset=latin1'])
        await ask(415, 'PATCH', me, { body: change, type });
    await ask(200, 'GET', `${me}/`); // never a redirect
    await ask(401, 'GET', me, { key: 'nobody' });
    await ask(403, 'GET', '/api/users', { key: user.api_key });
    await ask(403, 'PATCH', me, { body: { data: { type: 'users', attributes: { role: 'master' } } } });
    await ask(403, 'POST', '/api/users', { body: { data: { type: 'users', id: '77' } } });
    await ask(404, 'GET', '/api/events/1');
    await ask(404, 'GET', '/api/nothing/here/at/all');
    assert.equal((await ask(405, 'DELETE', '/api/events')).get('allow'), 'GET, HEAD, POST, OPTIONS');
    await ask(409, 'PATCH', me, { body: { data: { type: 'people' } } });
    await ask(409, 'PATCH', me, { body: { data: { type: 'users', id: '999' } } });
    for (const query of ['?nothing=1', '?include=nothing', '?include=resource,', '?sort=name', '?page[size]=0',
                         '?page[after]=x', '?page[number]=1', '?fields=id', '?fields[a]=1&fields[a]=2'])
        await ask(400, 'GET', `/api/events${query}`);
    await ask(400, 'GET', `${me}?include=master`); // the route has no include
});

test('JSON:API: sparse fieldsets on every route', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    await setUrl(server, there.url);
    const id = await post(server);
    const { id: deliveryId } = await delivery(server, id);
    const fieldsOf = ({ attributes = {}, relationships = {} }) =>
        [...Object.keys(attributes), ...Object.keys(relationships)];
    for (const [path, fields, left] of [
        ['/api/users/me', 'fields[users]=name,master', ['name', 'master']],
        ['/api/users', 'fields[users]=webhook_url', ['webhook_url']],
        ['/api/users/me', 'fields[events]=event_type', null],
        ['/api/users/me', 'fields[users]=', []],
        ['/api/users/me', 'fields[users]=nothing', []],
        ['/api/events', 'fields[events]=event_type', ['event_type']],
        [`/api/events/${id}`, 'fields[events]=sent_at,resource', ['sent_at', 'resource']],
        [`/api/events/${id}/deliveries`, 'fields[deliveries]=state', ['state']],
        [`/api/deliveries/${deliveryId}`, 'fields[deliveries]=state,event', ['state', 'event']],
        ['/api/api_keys', 'fields[api_keys]=label', ['label']],
        ['/api/event_types', 'fields[event_types]=section', ['section']],
        ['/api/event_types/user_enabled', 'fields[event_types]=en,es', ['en', 'es']],
        ['/api/resources/users/7', 'fields[users]=name', ['name']],
    ]) {
        const { status, json, text } = await get(server, `${path}?${fields}`);
        assert.equal(status, 200, text);
        const whole = (await get(server, path)).json;
        for (const [i, resource] of [json.data].flat().entries()) {
            const [full] = [whole.data].flat().slice(i);
            assert.deepEqual(fieldsOf(resource), left ?? fieldsOf(full), path);
            assert.deepEqual([resource.type, resource.id, resource.links], [full.type, full.id, full.links]);
        }
    }
    const { json } = await get(server, `/api/events/${id}?include=resource&fields[users]=&fields[events]=event_type`);
    assert.deepEqual(json.included, [{ type: 'users', id: '7' }]);
    assert.deepEqual(fieldsOf(json.data), ['event_type']);
});

test('JSON:API: include', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    await setUrl(server, there.url);
    const payment = (state, id) => ({ resource: { type: 'payments', id }, attributes: { state } });
    const ids = [];
    for (const [state, id] of [['a', '1'], ['b', '2'], ['c', '1']]) ids.push(await post(server, payment(state, id)));
    const states = ({ json }) => Object.fromEntries(json.included.map(({ id, attributes }) => [id, attributes.state]));
    for (const sort of ['id', '-id']) // each resource once, as it was last
        assert.deepEqual(states(await get(server, `/api/events?include=resource&sort=${sort}`)), { 1: 'c', 2: 'b' });
    assert.equal((await get(server, '/api/events')).json.included, undefined);
    assert.deepEqual((await get(server, '/api/events?include=')).json.included, undefined);

    await eventually('an attempt on record', async () => (await delivery(server, ids[0])).attributes.state === 'delivered');
    const { id } = await delivery(server, ids[0]);
    const typesOf = ({ json }) => (json.included ?? []).map(({ type }) => type);
    assert.deepEqual(typesOf(await get(server, `/api/deliveries/${id}`)), []);
    assert.deepEqual(typesOf(await get(server, `/api/deliveries/${id}?include=event`)), ['events']);
    const whole = await get(server, `/api/deliveries/${id}?include=event.resource,attempts`);
    assert.deepEqual(typesOf(whole), ['events', 'payments', 'attempts']);
    assert.equal(whole.json.included[2].attributes.status, 200);
    assert.equal(whole.json.data.attributes.attempts, undefined); // a relationship then
    assert.deepEqual(whole.json.data.relationships.attempts.data, [{ type: 'attempts', id: whole.json.included[2].id }]);
    assert.deepEqual(typesOf(await get(server, `/api/events/${ids[0]}/deliveries?include=event`)), ['events']);
    for (const path of [`/api/events/${ids[0]}/deliveries?include=attempts`, `/api/deliveries/${id}?include=user`,
                        `/api/events/${ids[0]}?include=deliveries`]) {
        const { status, json } = await get(server, path);
        assert.equal(status, 400);
        assert.deepEqual(json.errors[0].source, { parameter: 'include' });
    }
});

test('JSON:API: pages of every list, forward and back', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    await setUrl(server, there.url);
    for (let i = 0; i < 5; i++) {
        const user = await makeUser(server, `user ${i}`);
        await post(server);
        await api(server, 'POST', '/api/api_keys', { data: { type: 'api_keys', attributes: { label: `key ${i}` } } });
        assert.ok(user.user_id);
    }
    for (const path of ['/api/events', '/api/users', '/api/api_keys'])
        for (const sort of ['id', '-id']) {
            const whole = (await get(server, `${path}?sort=${sort}`)).json.data.map(({ id }) => id);
            const seen = [], back = [];
            let page, next = `${path}?sort=${sort}&page[size]=2`;
            for (; next; next = page.links.next) {
                page = (await get(server, next)).json;
                seen.push(...page.data.map(({ id }) => id));
            }
            assert.deepEqual(seen, whole);
            for (; page; page = page.links.prev && (await get(server, page.links.prev)).json)
                back.unshift(...page.data.map(({ id }) => id));
            assert.deepEqual(back, whole);
        }
});

test('row 42: me is an alias', async (t) => {
    const server = await serve(t);
    const [me, own] = [await get(server, '/api/users/me'), await get(server, `/api/users/${server.user_id}`)];
    assert.deepEqual(me.json, own.json);
    assert.equal(me.headers.get('etag'), own.headers.get('etag'));
    const patched = await api(server, 'PATCH', '/api/users/me', { data: { type: 'users', attributes: { name: 'Eva' } } });
    assert.equal((await get(server, `/api/users/${server.user_id}`)).json.data.attributes.name, 'Eva');
    assert.equal(patched.json.data.id, server.user_id);
});
