// API keys: what changes at the same moment, and what a key may give away.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { api, makeUser, serve } from './harness.mjs';

const keyBody = (attributes, user) => ({
    data: {
        type: 'api_keys', attributes,
        ...(user ? { relationships: { user: { data: { type: 'users', id: user } } } } : {}),
    },
});
const makeKey = (server, attributes, options, user) =>
    api(server, 'POST', '/api/api_keys', keyBody(attributes, user), options);
const patchKey = (server, id, attributes, options) =>
    api(server, 'PATCH', `/api/api_keys/${id}`, keyBody(attributes), options);

/** The status of GET /api/users/me with this key from this loopback address. */
const statusFrom = (server, key, localAddress) => new Promise((resolve, reject) => {
    const request = http.get(`${server.url}/api/users/me`, { localAddress, headers: { Authorization: key }, agent: false },
        (response) => {
            response.resume();
            resolve(response.statusCode);
        });
    request.on('error', reject);
});

test('8.27: allow_from and label changed at the same moment are both kept', async (t) => {
    const server = await serve(t);
    const { json } = await makeKey(server, { label: 'first' });
    const { id } = json.data;
    for (let round = 0; round < 60; round++) {
        const network = `192.0.2.${round}`, label = `round ${round}`, rate = 100 + round;
        const answers = await Promise.all([
            patchKey(server, id, { allow_from: [network] }), patchKey(server, id, { label }),
            patchKey(server, id, { rate_per_s: rate }),
        ]);
        assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
        assert.deepEqual(answers[0].json.data.attributes.allow_from, [network]);
        assert.equal(answers[1].json.data.attributes.label, label);
        const now = (await api(server, 'GET', `/api/api_keys/${id}`)).json.data.attributes;
        assert.deepEqual([now.allow_from, now.label, now.rate_per_s], [[network], label, rate]);
        assert.equal(await statusFrom(server, json.data.attributes.token, '127.0.0.1'), 403);
    }
});

test('8.27: attributes of one user, its secrets and its TLS identity, changed at the same moment, are all kept', async (t) => {
    const server = await serve(t);
    const user = (attributes) => ({ data: { type: 'users', attributes } });
    for (let round = 0; round < 20; round++) {
        const name = `name ${round}`, email = `m${round}@example.com`, server_name = `host${round}.example.com`;
        const answers = await Promise.all([
            api(server, 'PATCH', '/api/users/me', user({ name })),
            api(server, 'PATCH', '/api/users/me', user({ email })),
            api(server, 'PATCH', '/api/users/me', user({ paused: round % 2 === 0 })),
            api(server, 'PUT', '/api/users/me/tls', { data: { type: 'tls_identities', attributes: { server_name } } }),
        ]);
        for (const { status, text } of answers) assert.ok(status === 200 || status === 201, text);
        const now = (await api(server, 'GET', '/api/users/me')).json.data.attributes;
        assert.deepEqual([now.name, now.email, now.paused], [name, email, round % 2 === 0]);
        assert.equal((await api(server, 'GET', '/api/users/me/tls')).json.data.attributes.server_name, server_name);
    }
    const made = await Promise.all(Array.from({ length: 4 }, () =>
        api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets', attributes: {} } })));
    const ids = made.map(({ status, json }) => (assert.equal(status, 201), json.data.id));
    const listed = (await api(server, 'GET', '/api/signing_secrets')).json.data.map(({ id }) => id);
    for (const id of ids) assert.ok(listed.includes(id));
});

test('8.27: a key that is bound to networks makes and changes none for elsewhere', async (t) => {
    const server = await serve(t);
    const free = (await makeKey(server, { label: 'free' })).json.data.id;
    const { json } = await makeKey(server, { label: 'bound', rate_per_s: 'unlimited', allow_from: ['127.0.0.0/30'] });
    const { id, attributes: { token: key } } = json.data;
    const forbidden = async (answer) => {
        const { status, json: { errors } } = await answer;
        assert.equal(status, 403);
        assert.equal(errors[0].source.pointer, '/data/attributes/allow_from');
    };
    for (const allow_from of [[], null, ['0.0.0.0/0'], ['::/0'], ['127.0.0.0/29'], ['127.0.0.1', '10.0.0.0/8']]) {
        await forbidden(makeKey(server, { allow_from }, { key }));
        await forbidden(patchKey(server, id, { allow_from }, { key })); // itself
        await forbidden(patchKey(server, free, { allow_from }, { key }));
    }
    const made = await makeKey(server, { label: 'its own' }, { key });
    assert.deepEqual(made.json.data.attributes.allow_from, ['127.0.0.0/30']);
    assert.equal((await makeKey(server, { allow_from: ['127.0.0.1', '127.0.0.2/31'] }, { key })).status, 201);
    assert.equal(await statusFrom(server, made.json.data.attributes.token, '127.0.0.2'), 200);
    assert.equal(await statusFrom(server, made.json.data.attributes.token, '127.0.0.9'), 403);

    // A Master's: the first key of a user, and keys made as that user.
    const user = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: {} } }, { key });
    assert.equal(user.status, 201);
    assert.equal(await statusFrom(server, user.json.meta.api_key, '127.0.0.9'), 403);
    assert.equal(user.json.meta.warnings[0].code, 'allow_from_inherited');
    const as = await makeKey(server, {}, { key: `${key}; user=${user.json.data.id}` });
    assert.deepEqual(as.json.data.attributes.allow_from, ['127.0.0.0/30']);
    const other = await makeUser(server);
    const of = await makeKey(server, {}, { key }, other.user_id);
    assert.deepEqual(of.json.data.attributes.allow_from, ['127.0.0.0/30']);
    assert.equal((await patchKey(server, id, { allow_from: [] })).status, 200); // by a free key
});
