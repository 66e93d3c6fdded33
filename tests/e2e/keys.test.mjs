// API keys: changes at the same moment, and the reach that a key may give to another.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import test from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { api, initialize, makeUser, POSTHORN, run, serve } from './harness.mjs';

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

test('8.23: a user has 50 active keys at most, whoever asks, however many at once', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const user = await makeUser(server);
    const active = async () => {
        const { json } = await api(server, 'GET', '/api/api_keys?page[size]=100', undefined, { key: user.api_key });
        return json.data.filter(({ attributes }) => !attributes.revoked_at);
    };
    const made = await Promise.all(Array.from({ length: 120 }, (_, i) => (i % 3 ? makeKey(server, {}, { key: user.api_key })
        : makeKey(server, {}, {}, user.user_id))));
    const refused = made.filter(({ status }) => status === 409);
    assert.equal(made.filter(({ status }) => status === 201).length, 49);
    assert.equal(refused.length, 71);
    assert.equal(refused[0].json.errors[0].code, 'too_many_keys');
    assert.match(refused[0].json.errors[0].detail, /has 50 active API keys.*keys-max/);
    assert.equal((await active()).length, 50);
    // One that goes makes room for one; what is revoked does not add up.
    for (let i = 0; i < 60; i++) {
        const { id } = (await active()).at(-1);
        assert.equal((await api(server, 'DELETE', `/api/api_keys/${id}`, undefined, { key: user.api_key })).status, 204);
        assert.equal((await makeKey(server, {}, { key: user.api_key })).status, 201);
    }
    assert.equal((await active()).length, 50);
    const { json } = await api(server, 'GET', '/api/api_keys?page[size]=100', undefined, { key: user.api_key });
    assert.equal(json.data.length, 100);
    assert.equal((await makeKey(server, {})).status, 201); // others have their own
});

test('8.23: the pace is the user\'s, not the key\'s; a Master has so many users', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '2', '--rate-burst', '8', '--users-max', '3'] });
    const user = await makeUser(server);
    const keys = [];
    for (let i = 0; i < 10; i++) keys.push((await makeKey(server, {}, {}, user.user_id)).json.data.attributes.token);
    const answers = await Promise.all(keys.flatMap((key) => Array.from({ length: 5 }, () => statusFrom(server, key, '127.0.0.1'))));
    const fine = answers.filter((status) => status === 200).length;
    assert.ok(fine >= 8 && fine < 30, `${fine} of 50`);
    assert.equal(answers.filter((status) => status === 429).length, 50 - fine);
    const { text } = await api(server, 'GET', '/api/users/me', undefined, { key: keys[3] });
    assert.match(text, /with all its keys together/);
    const own = await makeKey(server, { rate_per_s: 100 }, {}, user.user_id); // a Master's word
    assert.equal(await statusFrom(server, own.json.data.attributes.token, '127.0.0.1'), 200);
    assert.equal((await makeUser(server)).user_id > user.user_id, true);
    await makeUser(server);
    const beyond = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: {} } });
    assert.equal(beyond.status, 409);
    assert.equal(beyond.json.errors[0].code, 'too_many_users');
});

test('8.23: a server with 400,000 keys starts, and knows each of them', async (t) => {
    const install = await initialize(t);
    const known = 'f'.repeat(48), digest = createHash('sha256').update(known).digest('hex');
    const { code, stderr } = await run('sqlite3', [join(install.data, 'posthorn.db')], {
        input: `INSERT INTO api_keys (id, user_id, digest, label, allow_from, rate_per_s, created_at)
            WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
            SELECT i, 5, CASE i WHEN 399999 THEN '${digest}' ELSE lower(hex(randomblob(32))) END, 'many', '', 0, 1 FROM n;`,
    });
    assert.equal(code, 0, stderr);
    const server = await serve(t, { install });
    assert.equal((await api(server, 'GET', '/api/users/me')).status, 200);
    assert.equal((await api(server, 'GET', '/api/users/me', undefined, { key: known })).status, 200);
    assert.equal((await api(server, 'GET', '/api/users/me', undefined, { key: 'e'.repeat(48) })).status, 401);
    const rssMiB = Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024;
    assert.ok(rssMiB < 400, `${rssMiB} MiB`);
    t.diagnostic(`${Math.round(rssMiB)} MiB`);
});

test('8.13: a new key says its pace, warns when it is slower, and is unlimited in one call', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '7'] });
    const warnings = ({ json }) => (json.meta.warnings ?? []).map(({ code }) => code);
    const slower = await makeKey(server, { label: 'successor' });
    assert.equal(slower.status, 201);
    assert.equal(slower.json.meta.rate_per_s, 7);
    assert.equal(slower.json.data.attributes.rate_per_s, null);
    assert.deepEqual(warnings(slower), ['slower_key']);
    assert.match(slower.json.meta.warnings[0].detail, /7 requests a second together .* has no limit\. A Master can change this/);
    const shown = await api(server, 'GET', `/api/api_keys/${slower.json.data.id}`);
    assert.equal(shown.json.meta.rate_per_s, 7);

    const successor = await makeKey(server, { rate_per_s: 'unlimited' });
    assert.equal(successor.json.meta.rate_per_s, 'unlimited');
    assert.deepEqual(warnings(successor), []);
    const key = successor.json.data.attributes.token;
    const answers = await Promise.all(Array.from({ length: 40 }, () => api(server, 'GET', '/api/users/me', undefined, { key })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], 'more than 7 at once, and 7 a second');

    // By a key with a pace of its own; and with one that is as quick.
    const fifty = (await makeKey(server, { rate_per_s: 50 })).json.data.attributes.token;
    const half = await makeKey(server, { rate_per_s: 25 }, { key: fifty });
    assert.match(half.json.meta.warnings[0].detail, /25 requests a second; the key that made it may make 50\./);
    assert.deepEqual(warnings(await makeKey(server, { rate_per_s: 50 }, { key: fifty })), []);
    assert.deepEqual(warnings(await makeKey(server, { rate_per_s: 'unlimited' }, { key: fifty })), []);
    // A Regular's keys share one pace: a second one is as quick as the first.
    const user = await makeUser(server);
    const second = await makeKey(server, {}, { key: user.api_key });
    assert.equal(second.json.meta.rate_per_s, 7);
    assert.deepEqual(warnings(second), []);
    const patched = await patchKey(server, slower.json.data.id, { rate_per_s: 'unlimited' });
    assert.equal(patched.json.meta.rate_per_s, 'unlimited');
});

test('8.13: posthorn keys new --rate', async (t) => {
    const install = await initialize(t);
    const make = async (...args) => {
        const { code, stdout, stderr } = await run(POSTHORN, ['keys', 'new', '--data', install.data, '--json', ...args]);
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout).api_key;
    };
    const [plain, unlimited, nine] = [await make(), await make('--rate', 'unlimited'), await make('--rate', '9')];
    const server = await serve(t, { install });
    const { json } = await api(server, 'GET', '/api/api_keys', undefined, { key: unlimited });
    assert.deepEqual(json.data.slice(1).map(({ attributes }) => attributes.rate_per_s), ['unlimited', 'unlimited', 9]);
    for (const key of [plain, nine]) assert.equal((await api(server, 'GET', '/api/users/me', undefined, { key })).status, 200);
});
