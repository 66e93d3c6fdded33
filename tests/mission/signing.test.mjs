// rows: 31, 37 (beside WEBHOOK-AUTH): the second signature, checked by the official client package.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { answer, api, eventually, makeUser, post, receiver, serve, setUrl } from '../e2e/harness.mjs';

const secretBody = (attributes = {}) => ({ data: { type: 'signing_secrets', attributes } });

async function newSecret(server, attributes, options) {
    const made = await api(server, 'POST', '/api/signing_secrets', secretBody(attributes), options);
    assert.equal(made.status, 201, made.text);
    return { id: made.json.data.id, ...made.json.data.attributes };
}

async function pushed(hook, count) {
    await eventually(`${count} pushes`, () => hook.requests.length >= count);
    return hook.requests[count - 1];
}

const headersOf = (request) =>
    Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, request.header(name)]));

/** Ed25519 by Node's own crypto: the official package knows HMAC only. */
function ed25519Fits(request, publicKey) {
    const raw = Buffer.from(publicKey.replace('whpk_', ''), 'base64');
    const key = createPublicKey({
        key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
    const signed = Buffer.concat([Buffer.from(`${request.header('webhook-id')}.${request.header('webhook-timestamp')}.`),
        request.body]);
    return request.header('webhook-signature').split(' ').filter((each) => each.startsWith('v1a,'))
        .some((each) => verify(null, signed, key, Buffer.from(each.slice(4), 'base64')));
}

test('the second signature: the standardwebhooks package accepts our pushes, from the first on', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const made = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: 'Ana' } } });
    const user = { user_id: made.json.data.id, api_key: made.json.meta.api_key };
    const secret = made.json.meta.signing_secret;
    await setUrl(server, hook.url, { id: user.user_id, key: user.api_key });
    const id = await post(server, { user: user.user_id });
    const request = await pushed(hook, 1);

    assert.equal(request.header('webhook-id'), id);
    assert.deepEqual(new Webhook(secret).verify(request.body.toString(), headersOf(request)), request.json);
    assert.throws(() => new Webhook(secret).verify(request.body.toString().replace('Ana', 'Eve'), headersOf(request)));
    const other = await makeUser(server);
    const others = await newSecret(server, {}, { key: other.api_key });
    assert.throws(() => new Webhook(others.secret).verify(request.body.toString(), headersOf(request)));
});

test('the second signature: every attempt is signed anew, over the same body and id', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] });
    const { secret } = await newSecret(server, { overlap_s: 0 });
    let left = 2;
    const hook = await receiver(t, () => answer(left-- > 0 ? 500 : 200));
    await setUrl(server, hook.url);
    await post(server);
    await pushed(hook, 3);
    for (const request of hook.requests) {
        new Webhook(secret).verify(request.body.toString(), headersOf(request));
        assert.equal(request.header('webhook-id'), hook.requests[0].header('webhook-id'));
        assert.deepEqual(request.body, hook.requests[0].body);
    }
});

test('the second signature: a rotated secret overlaps with the one before, then stops', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const first = await newSecret(server);
    const second = await newSecret(server, { overlap_s: 3600 });
    await setUrl(server, hook.url);
    await post(server);
    const both = await pushed(hook, 1);
    for (const { secret } of [first, second]) new Webhook(secret).verify(both.body.toString(), headersOf(both));

    const third = await newSecret(server, { overlap_s: 0 });
    await post(server);
    const later = await pushed(hook, 2);
    new Webhook(third.secret).verify(later.body.toString(), headersOf(later));
    assert.throws(() => new Webhook(second.secret).verify(later.body.toString(), headersOf(later)));
});

test('the second signature: Ed25519 on request, beside HMAC', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const made = await newSecret(server, { algorithm: 'v1a' });
    assert.match(made.secret, /^whsk_/);
    assert.match(made.public_key, /^whpk_/);
    await setUrl(server, hook.url);
    await post(server);
    const request = await pushed(hook, 1);
    assert.ok(ed25519Fits(request, made.public_key));
    assert.match(request.header('webhook-signature'), /(^| )v1,/);
    request.body[20] ^= 1;
    assert.ok(!ed25519Fits(request, made.public_key));
});

test('the second signature: a secret is shown once, survives a restart, and the last one stays', async (t) => {
    const server = await serve(t);
    const made = await newSecret(server, { overlap_s: 0 });
    const list = await api(server, 'GET', '/api/signing_secrets');
    assert.equal(list.status, 200, list.text);
    assert.ok(!list.text.includes(made.secret.slice(6)));
    assert.ok(!(await api(server, 'GET', `/api/signing_secrets/${made.id}`)).text.includes(made.secret.slice(6)));
    const last = await api(server, 'DELETE', `/api/signing_secrets/${made.id}`);
    assert.equal(last.status, 409);
    assert.equal(last.json.errors[0].code, 'last_secret');
    assert.equal((await api(server, 'DELETE', '/api/signing_secrets/nosuch')).status, 404);
    assert.equal((await api(server, 'POST', '/api/signing_secrets', secretBody({ algorithm: 'v2' }))).status, 422);
    assert.equal((await api(server, 'POST', '/api/signing_secrets', secretBody({ overlap_s: -1 }))).status, 422);
    assert.equal((await api(server, 'POST', '/api/signing_secrets', secretBody({ secret: 'x' }))).status, 403);
    await server.end();

    const again = await serve(t, { install: server });
    const hook = await receiver(t);
    await setUrl(again, hook.url);
    await post(again);
    const request = await pushed(hook, 1);
    new Webhook(made.secret).verify(request.body.toString(), headersOf(request));
    const spare = await newSecret(again);
    assert.equal((await api(again, 'DELETE', `/api/signing_secrets/${made.id}`)).status, 204);
    assert.equal((await api(again, 'GET', `/api/signing_secrets/${made.id}`)).status, 404);
    assert.equal((await api(again, 'GET', `/api/signing_secrets/${spare.id}`)).status, 200);
    assert.ok(!server.output.includes(made.secret) && !again.output.includes(spare.secret));
});
