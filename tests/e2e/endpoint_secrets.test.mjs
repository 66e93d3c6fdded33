// The signing secrets and the TLS identity of a further endpoint: its own, by the routes under /api/endpoints/ID.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { api, eventually, folder, makeUser, post, posthorn, receiver, serve, setUrl } from './harness.mjs';
import { certificates, nodeReceiver } from './tls_receiver.mjs';

async function endpoint(server, attributes, options) {
    const { status, json, text } = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } }, options);
    assert.equal(status, 201, text);
    return { id: json.data.id, secret: json.meta.signing_secret };
}

const verifies = (request, secret) => {
    try {
        new Webhook(secret).verify(request.body.toString(), Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value])));
        return true;
    } catch {
        return false;
    }
};
const signatures = (request) => request.header('webhook-signature').split(' ').length;
const codes = ({ status, json }) => [status, json?.errors?.[0].code];
const made = (attributes = {}, more = {}) => ({ data: { type: 'signing_secrets', attributes, ...more } });

test('secrets of an endpoint: its own, replaced with an overlap, and those of the default endpoint stay', async (t) => {
    const server = await serve(t);
    const [hook, first] = [await receiver(t), await receiver(t)];
    await setUrl(server, first.url);
    const { id, secret } = await endpoint(server, { url: hook.url });
    const path = `/api/endpoints/${id}/signing_secrets`;
    const before = await api(server, 'GET', path);
    assert.deepEqual(before.json.data.map((one) => [one.id, one.links.self, one.relationships.endpoint.data.id]), [['default', `${path}/default`, id]]);
    const revealed = await api(server, 'POST', `${path}/default/reveal`);
    assert.equal(revealed.json.data.attributes.secret, secret);

    const created = await api(server, 'POST', path, made({ overlap_s: 3600 }));
    assert.equal(created.status, 201, created.text);
    const { id: name, attributes: { secret: second } } = created.json.data;
    assert.equal(created.headers.get('location'), `${path}/${name}`);
    await post(server);
    const [push] = await hook.arrived(1);
    assert.deepEqual([signatures(push), verifies(push, secret), verifies(push, second)], [2, true, true]);
    const [other] = await first.arrived(1);
    assert.deepEqual([signatures(other), verifies(other, secret), verifies(other, second)], [1, false, false]);

    const shown = await api(server, 'GET', `${path}/${name}`);
    const etag = shown.headers.get('etag');
    assert.equal((await api(server, 'GET', `${path}/${name}`, undefined, { headers: { 'If-None-Match': etag } })).status, 304);
    assert.deepEqual(codes(await api(server, 'DELETE', `${path}/default`, undefined, { headers: { 'If-Match': etag } })), [412, 'version_conflict']);
    assert.equal((await api(server, 'DELETE', `${path}/default`)).status, 204);
    assert.deepEqual(codes(await api(server, 'DELETE', `${path}/${name}`)), [409, 'last_secret']);
    await post(server);
    const later = (await hook.arrived(2))[1];
    assert.deepEqual([signatures(later), verifies(later, secret), verifies(later, second)], [1, false, true]);
    assert.equal((await api(server, 'GET', '/api/signing_secrets')).json.data.length, 1);
});

test('secrets of an endpoint: the same by the path of a default endpoint and by /api/signing_secrets', async (t) => {
    const server = await serve(t);
    const path = `/api/endpoints/${server.user_id}/signing_secrets`;
    const created = await api(server, 'POST', path, made({ algorithm: 'v1a' }));
    assert.equal(created.json.data.links.self, `/api/signing_secrets/${created.json.data.id}`);
    const [here, there] = [await api(server, 'GET', path), await api(server, 'GET', '/api/signing_secrets')];
    assert.deepEqual(here.json.data, there.json.data);
});

test('secrets of an endpoint: an Idempotency-Key makes one', async (t) => {
    const server = await serve(t);
    const ids = [(await endpoint(server, { url: null })).id, (await endpoint(server, { url: null })).id];
    const ask = (id, body = made()) => api(server, 'POST', `/api/endpoints/${id}/signing_secrets`, body, { headers: { 'Idempotency-Key': 'once' } });
    const [first, again, elsewhere] = [await ask(ids[0]), await ask(ids[0]), await ask(ids[1])];
    assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.json.data.id, again.json.data.attributes.secret],
        [201, 'true', first.json.data.id, undefined]);
    assert.deepEqual([elsewhere.status, elsewhere.headers.get('idempotency-replayed')], [201, null]);
    assert.deepEqual(codes(await ask(ids[0], made({ algorithm: 'v1a' }))), [422, 'idempotency_conflict']);
    assert.equal((await api(server, 'GET', `/api/endpoints/${ids[0]}/signing_secrets`)).json.data.length, 2);
});

test('secrets and TLS identity of an endpoint: for its owner and the owner\'s Master, who is shown no text', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const [owner, stranger] = [await makeUser(server), await makeUser(server)];
    const { id } = await endpoint(server, { url: 'https://example.com/hook' }, { key: owner.api_key });
    const [secrets, tls] = [`/api/endpoints/${id}/signing_secrets`, `/api/endpoints/${id}/tls`];
    const identity = { data: { type: 'tls_identities', attributes: { server_name: 'hooks.example.com' } } };

    for (const key of [owner.api_key, server.api_key]) {
        assert.equal((await api(server, 'POST', secrets, made(), { key })).status, 201);
        assert.equal((await api(server, 'PUT', tls, identity, { key })).json.data.relationships.user.data.id, owner.user_id);
        assert.equal((await api(server, 'GET', tls, undefined, { key })).status, 200);
        assert.ok((await api(server, 'GET', secrets, undefined, { key })).json.data.length > 1);
    }
    assert.equal((await api(server, 'POST', `${secrets}/default/reveal`, undefined, { key: owner.api_key })).status, 200);
    assert.deepEqual(codes(await api(server, 'POST', `${secrets}/default/reveal`)), [403, 'forbidden']);
    const calls = [['GET', secrets], ['POST', secrets, made()], ['GET', `${secrets}/default`], ['POST', `${secrets}/default/reveal`],
        ['DELETE', `${secrets}/default`], ['GET', tls], ['PUT', tls, identity], ['DELETE', tls]];
    for (const [method, path, body] of calls)
        assert.deepEqual(codes(await api(server, method, path, body, { key: stranger.api_key })), [404, 'not_found'], `${method} ${path}`);
    for (const unknown of ['0', '-1', 'x', '99999999999999999999', '77'])
        for (const [method, path, body] of calls)
            assert.deepEqual(codes(await api(server, method, path.replace(id, unknown), body)), [404, 'not_found'], `${method} ${unknown}`);

    const wrong = await api(server, 'POST', secrets, made({}, { relationships: { user: { data: { type: 'users', id: stranger.user_id } } } }));
    assert.deepEqual([...codes(wrong), wrong.json.errors[0].source.pointer], [409, 'id_conflict', '/data/relationships/user/data/id']);
    assert.equal((await api(server, 'POST', secrets, made({}, { relationships: { user: { data: { type: 'users', id: owner.user_id } } } }))).status, 201);

    assert.equal((await api(server, 'DELETE', `/api/endpoints/${id}`)).status, 204);
    for (const [method, path, body] of calls) assert.equal((await api(server, method, path, body, { key: owner.api_key })).status, 404);
});

test('tls: the identity of an endpoint is shown to its receiver alone', async (t) => {
    const server = await serve(t);
    const files = certificates(t);
    const [hook, first] = [await nodeReceiver(t, files), await nodeReceiver(t, files)];
    const attributes = (name) => ({ certificate: files.read(`${name}.pem`), private_key: files.read(`${name}.key`), ca: files.read('ca.pem') });
    const put = (path, name, headers) => api(server, 'PUT', path, { data: { type: 'tls_identities', attributes: attributes(name) } }, { headers });
    await setUrl(server, first.url);
    const { id } = await endpoint(server, { url: hook.url });
    const path = `/api/endpoints/${id}/tls`;
    assert.equal((await api(server, 'GET', path)).status, 404);
    assert.equal((await put('/api/users/me/tls', 'another')).status, 201);
    const created = await put(path, 'right');
    assert.deepEqual([created.status, created.headers.get('location'), created.json.data.id], [201, path, id]);
    assert.equal((await put(path, 'right', { 'If-Match': '"x"' })).status, 412);
    assert.equal((await put(path, 'right', { 'If-Match': created.headers.get('etag') })).status, 200);
    await post(server);
    await eventually('both are asked', () => hook.subjects.length > 0 && first.subjects.length > 0);
    assert.deepEqual([hook.subjects, first.subjects], [['right'], ['another']]);

    assert.equal((await api(server, 'DELETE', path)).status, 204);
    assert.equal((await api(server, 'GET', path)).status, 404);
    assert.equal((await api(server, 'GET', '/api/users/me/tls')).status, 200);
});

test('posthorn secrets, posthorn mtls: --endpoint', async (t) => {
    const server = await serve(t);
    const cli = (...args) => posthorn(...args, '--server', server.url, '--key', server.api_key);
    const { id, secret } = await endpoint(server, { url: 'https://example.com/hook' });
    assert.deepEqual(await cli('secrets', 'reveal', '--endpoint', id), { code: 0, stdout: `${secret}\n`, stderr: '' });
    assert.match((await cli('secrets', 'rotate', '--endpoint', id)).stderr, /default signs until/);
    const created = JSON.parse((await cli('secrets', 'create', '--endpoint', id, '--algorithm', 'v1a', '--json')).stdout).data;
    assert.equal((await cli('secrets', 'remove', created.id, '--endpoint', id)).code, 0);
    const listed = async (...args) => (await cli('secrets', 'list', ...args)).stdout.match(/^(default|[0-9a-f]{16}) /gm).length;
    assert.deepEqual([await listed('--endpoint', id), await listed()], [2, 1]);

    const ca = join(folder(t), 'ca.pem');
    writeFileSync(ca, certificates(t).read('ca.pem'));
    assert.match((await cli('mtls', 'set', '--ca', ca, '--endpoint', id)).stdout, /authorities +1 of its own/);
    assert.match((await cli('mtls', 'show', '--endpoint', id)).stdout, /authorities +1 of its own/);
    assert.equal((await cli('mtls', 'show')).code, 1);
    assert.equal((await cli('mtls', 'remove', '--endpoint', id)).code, 0);
    for (const args of [['secrets', 'list'], ['mtls', 'show']]) {
        const { code, stderr } = await cli(...args, '--endpoint', id, '--user', server.user_id);
        assert.deepEqual([code, /give --endpoint or --user/.test(stderr)], [2, true]);
    }
});
