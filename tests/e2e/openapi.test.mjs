// openapi.json: two public linters have nothing against it, and the contract that every other test is held to can be broken.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { api, eventBody, folder, makeUser, POSTHORN, run, serve } from './harness.mjs';
import { contractFetch, documentOf, schemasOf } from './openapi-contract.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const tool = (name) => here(`../node_modules/.bin/${name}`);

async function written(t) {
    const path = join(folder(t), 'openapi.json');
    writeFileSync(path, JSON.stringify(await documentOf(POSTHORN)));
    return path;
}

test('Redocly CLI finds nothing', async (t) => {
    const { code, stdout, stderr } = await run(tool('redocly'), ['lint', await written(t), '--config', here('redocly.yaml'), '--format', 'json'],
        { env: { REDOCLY_TELEMETRY: 'off' }, limitMs: 240_000 });
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout).problems.map(({ ruleId, message }) => `${ruleId}: ${message}`), []);
});

test('Spectral finds nothing', async (t) => {
    const { code, stdout, stderr } = await run(tool('spectral'), ['lint', await written(t), '--ruleset', here('spectral.yaml'), '--fail-severity', 'hint'],
        { limitMs: 240_000 });
    assert.equal(code, 0, stdout + stderr);
});

test('the linters are heard: a document with a fault in it fails', async (t) => {
    const path = await written(t);
    const document = JSON.parse(readFileSync(path, 'utf8'));
    document.paths['/api/users'].get.tags = [7];
    writeFileSync(path, JSON.stringify(document));
    assert.notEqual((await run(tool('redocly'), ['lint', path, '--config', here('redocly.yaml')], { env: { REDOCLY_TELEMETRY: 'off' }, limitMs: 240_000 })).code, 0);
    assert.notEqual((await run(tool('spectral'), ['lint', path, '--ruleset', here('spectral.yaml')], { limitMs: 240_000 })).code, 0);
});

const USER = { type: 'users', id: '1', attributes: { name: 'Ana' }, links: { self: '/api/users/1' } };
const document = (data) => ({ jsonapi: { version: '1.1' }, links: { self: '/api/users/1' }, data });
const errors = (status, code, source) =>
    ({ jsonapi: { version: '1.1' }, errors: [{ id: 'x', status: String(status), code, title: 't', detail: 'd', ...(source ? { source } : {}) }] });
const patch = (attributes) => ({ method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ data: { type: 'users', attributes } }) });

/** What the contract says of one request with a made-up answer; '' if nothing. */
async function judge(path, options, status, body, headers = {}) {
    const response = new Response(body === undefined ? null : JSON.stringify(body),
        { status, headers: { 'Posthorn-Mode': 'sandbox', 'Content-Type': 'application/vnd.api+json', ...headers } });
    try {
        await contractFetch(async () => response, POSTHORN)(`http://127.0.0.1:1${path}`, options);
        return '';
    } catch ({ message }) {
        return message;
    }
}

test('the contract can be broken in each way that it names', async () => {
    const fine = [
        ['/api/users/1', {}, 200, document(USER), { ETag: '"1"' }],
        ['/api/users/1', patch({ name: null }), 200, document(USER)],
        ['/api/users/1', patch({ colour: 1 }), 422, errors(422, 'attribute_unknown', { pointer: '/data/attributes/colour' })],
        ['/api/users/1?fields[users]=name', {}, 200, document(USER)],
        ['/api/nobody/knows/this', {}, 404, errors(404, 'not_found')],
        ['/api/users/1', { method: 'DELETE' }, 405, errors(405, 'method_not_allowed'), { Allow: 'GET' }],
    ];
    for (const row of fine) assert.equal(await judge(...row), '');
    const broken = [
        [/status 299/, '/api/users/1', {}, 299, document(USER)],
        [/header x-colour/, '/api/users/1', {}, 200, document(USER), { 'X-Colour': 'red' }],
        [/additional properties/, '/api/users/1', {}, 200, document({ ...USER, attributes: { colour: 'red' } })],
        [/must be/, '/api/users/1', {}, 200, document({ ...USER, type: 'people' })],
        [/content type text\/css/, '/api/users/1', {}, 200, document(USER), { 'Content-Type': 'text/css' }],
        [/operation is not declared/, '/api/users/1', { method: 'DELETE' }, 204],
        [/server accepts it/, '/api/users/1', patch({ colour: 'red' }), 200, document(USER)],
        [/server accepts it/, '/api/users/1', patch({ name: 7 }), 200, document(USER)],
        [/server accepts it/, '/api/users?page[size]=0', {}, 200, { ...document([USER]) }],
        [/server accepts it/, '/api/users?colour=red', {}, 200, { ...document([USER]) }],
        [/server refuses it/, '/api/users/1', patch({ name: 'Ana' }), 422, errors(422, 'attribute_invalid', { pointer: '/data/attributes/name' })],
        [/server refuses it/, '/api/users?page[size]=5&sort=id', {}, 400, errors(400, 'parameter_invalid', { parameter: 'sort' })],
    ];
    for (const [expected, ...row] of broken) assert.match(await judge(...row), expected, JSON.stringify(row));
});

test('what the schemas refuse, the server refuses; what they allow, it takes', async (t) => {
    const server = await serve(t);
    const refused = [
        ['GET', '/api/events?filter[event_type]='], ['GET', '/api/events?filter[resource_id]='], ['GET', '/api/events?include=user'],
        ['GET', '/api/events?page[size]=101'], ['GET', '/api/events?page[after]='], ['GET', '/api/users?sort=name'], ['GET', '/api/event_types?filter[status]=new'],
        ['POST', '/api/api_keys', { rate_per_s: 0 }, 'api_keys'], ['POST', '/api/api_keys', { rate_per_s: 1000001 }, 'api_keys'], ['POST', '/api/api_keys', { rate_per_s: 'fast' }, 'api_keys'],
        ['POST', '/api/api_keys', { allow_from: Array(65).fill('192.0.2.1') }, 'api_keys'], ['POST', '/api/api_keys', { token: 'x' }, 'api_keys'],
        ['POST', '/api/signing_secrets', { overlap_s: 2592001 }, 'signing_secrets'], ['POST', '/api/signing_secrets', { overlap_s: -1 }, 'signing_secrets'],
        ['POST', '/api/signing_secrets', { algorithm: null }, 'signing_secrets'], ['POST', '/api/users', { name: 'x'.repeat(257) }, 'users'],
        ['POST', '/api/users', { paused: null }, 'users'], ['PATCH', '/api/users/me', { role: 'master' }, 'users'], ['POST', '/api/events', {}, 'events'],
        ['POST', '/api/events', { event_type: 'a b' }, 'events'], ['POST', '/api/events', { event_type: '..' }, 'events'], ['POST', '/api/events', { event_type: 'a', created_at: 'now' }, 'events'],
    ];
    const taken = [
        ['GET', '/api/events?include='], ['GET', '/api/events?filter[undelivered]=false&page[size]=100&sort=-id'], ['GET', '/api/users?fields[users]=name'],
        ['POST', '/api/api_keys', { rate_per_s: 1000000, allow_from: null, label: null }, 'api_keys'], ['POST', '/api/api_keys', { rate_per_s: null }, 'api_keys'],
        ['POST', '/api/signing_secrets', { overlap_s: 2592000 }, 'signing_secrets'], ['POST', '/api/users', { name: null, email: null, webhook_url: null }, 'users'],
        ['POST', '/api/events', { event_type: 'a', sent_at: 7 }, 'events'], ['POST', '/api/events', { event_type: '...' }, 'events'], ['POST', '/api/events', { event_type: '.a' }, 'events'], ['POST', '/api/events', { event_type: 'a', created_at: '2000-01-01T01:00:00+01:00' }, 'events'],
    ];
    const ask = ([method, path, attributes, type]) => api(server, method, path, type && { data: { type, attributes } });
    for (const row of refused) assert.match(String((await ask(row)).status), /^4/, JSON.stringify(row));
    for (const row of taken) assert.match(String((await ask(row)).status), /^2/, JSON.stringify(row));
});

test('every example of the Postman collection is a request of the contract', async () => {
    const openapi = await documentOf(POSTHORN);
    const check = schemasOf(openapi, false);
    const { operations } = JSON.parse(readFileSync(new URL('../../catalogue/api.json', import.meta.url), 'utf8'));
    const examples = operations.filter(({ request, try: example }) => request && example?.body);
    assert.ok(examples.length > 8);
    for (const { request, try: { body } } of examples) {
        const sent = JSON.parse(JSON.stringify(body).replace('{{webhook_url}}', 'https://example.com/hook'));
        assert.equal(check(`/components/schemas/${request}`, sent), '', request);
    }
    assert.equal(check('/components/schemas/EventCreate', eventBody()), '');
    assert.notEqual(check('/components/schemas/EventCreate', { data: { type: 'events', attributes: {} } }), '');
});

test('an operation that makes something says what can be done next, and it can', async (t) => {
    const server = await serve(t);
    const { paths } = await documentOf(POSTHORN);
    const operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })));
    const find = (id) => operations.find(({ operationId }) => operationId === id);
    const without = operations.filter(({ responses }) => responses[201] && !responses[201].links).map(({ operationId }) => operationId);
    assert.deepEqual(without, ['createEvents']); // it makes many

    const user = await makeUser(server);
    const create = (type, attributes = {}) => ({ data: { type, attributes } });
    const made = await api(server, 'POST', '/api/endpoints', create('endpoints', { url: 'https://example.com/' }));
    assert.equal(made.status, 201, made.text);
    const endpoint = made.json.data.id;
    for (const [operationId, at, body] of [
        ['createEvent', {}, eventBody()],
        ['createUser', {}, create('users')],
        ['createEndpoint', {}, create('endpoints')],
        ['createApiKey', {}, create('api_keys')],
        ['createSigningSecret', {}, create('signing_secrets')],
        ['createEndpointSigningSecret', { endpoint }, create('signing_secrets')],
        ['putTlsIdentity', { id: user.user_id }, { data: { type: 'tls_identities', id: user.user_id, attributes: { server_name: 'a.example' } } }],
        ['putEndpointTlsIdentity', { id: endpoint }, { data: { type: 'tls_identities', id: endpoint, attributes: { server_name: 'a.example' } } }],
        ['pingEndpoint', { id: endpoint }],
        ['recoverEndpoint', { id: endpoint }, create('jobs', { since: '2020-01-01T00:00:00Z' })],
        ['putResourceByType', { type: 'cards', id: '1' }, { data: { type: 'cards', id: '1', attributes: { a: 1 } } }],
    ]) {
        const { method, path, responses } = find(operationId);
        const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? assert.fail(`${template}: no ${name}`));
        const made = await api(server, method, fill(path, at), body);
        assert.equal(made.status, 201, `${operationId}: ${made.text}`);
        const value = (expression) => expression.startsWith('$request.path.') ? at[expression.slice(14)]
            : expression.replace('$response.body#', '').split('/').filter(Boolean).reduce((from, name) => from[name], made.json);
        const next = Object.values(responses[201].links).map((link) => ({ ...find(link.operationId), parameters: link.parameters }));
        assert.ok(next.some((link) => link.method === 'GET'), operationId);
        for (const link of next) {
            const target = fill(link.path, Object.fromEntries(Object.entries(link.parameters).map(([name, expression]) => [name, value(expression)])));
            if (link.method === 'GET') assert.equal((await api(server, 'GET', target)).status, 200, `${operationId}: ${target}`);
        }
    }
});

test('openapi.json and /docs are compressed for whoever accepts gzip, with an ETag of their own', async (t) => {
    const server = await serve(t);
    for (const path of ['/openapi.json', '/docs']) {
        const get = (coding, headers = {}) => api(server, 'GET', path, undefined, { key: null, headers: { 'Accept-Encoding': coding, ...headers } });
        const plain = await get('identity');
        const etags = new Set([plain.headers.get('etag')]);
        for (const coding of ['gzip', 'br;q=1.0, gzip;q=0.8, *;q=0.1', '*', 'GZIP']) {
            const small = await get(coding);
            assert.equal(small.headers.get('content-encoding'), 'gzip', coding);
            assert.ok(Number(small.headers.get('content-length')) < plain.text.length / 3);
            assert.equal(small.text, plain.text);
            assert.match(small.headers.get('vary'), /Accept-Encoding/);
            etags.add(small.headers.get('etag'));
        }
        assert.equal(etags.size, 2);
        for (const coding of ['gzip;q=0', 'br', '*;q=1, gzip;q=0', 'identity;q=0.5'])
            assert.equal((await get(coding)).headers.get('content-encoding'), null, coding);
        const [, zipped] = etags;
        assert.equal((await get('gzip', { 'If-None-Match': zipped })).status, 304);
        assert.equal((await get('identity', { 'If-None-Match': zipped })).status, 200);
    }
});

test('a page of an origin in cors-origins may use the API, a page of another may not', async (t) => {
    const server = await serve(t, { args: ['--cors-origins', 'https://app.example.com'] });
    const from = (origin, method = 'GET', path = '/api/users/me') =>
        api(server, method, path, undefined, { headers: { Origin: origin, ...(method === 'OPTIONS' && { 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'authorization, if-match' }) }, key: method === 'OPTIONS' ? null : undefined });
    const answer = await from('https://app.example.com');
    assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, 'https://app.example.com']);
    assert.match(answer.headers.get('access-control-expose-headers'), /ETag/);
    const preflight = await from('https://app.example.com', 'OPTIONS');
    assert.equal(preflight.status, 204, preflight.text);
    assert.match(preflight.headers.get('access-control-allow-methods'), /PATCH/);
    assert.match(preflight.headers.get('access-control-allow-headers'), /Authorization.*If-Match/);
    for (const path of ['/api/users/me', '/api/nowhere/at/all', '/api/events/1'])
        assert.equal((await from('https://other.example.com', 'GET', path)).headers.get('access-control-allow-origin'), null, path);
    const missing = await from('https://app.example.com', 'GET', '/api/events/1');
    assert.deepEqual([missing.status, missing.headers.get('access-control-allow-origin')], [404, 'https://app.example.com']);
});
