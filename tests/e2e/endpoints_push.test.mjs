// How pushes to an endpoint are made: which signatures they carry, and by which secrets. (Whether the services' packages
// accept them: endpoint_signatures.test.mjs.)
import { verify as githubVerify } from '@octokit/webhooks-methods';
import assert from 'node:assert/strict';
import test from 'node:test';
import Stripe from 'stripe';
import { api, eventBody, eventually, receiver, serve } from './harness.mjs';

async function endpoint(server, attributes) {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return { id: answer.json.data.id, signatures: answer.json.data.attributes.signatures };
}

async function pushed(server, hook) {
    const before = hook.requests.length;
    const answer = await api(server, 'POST', '/api/events', eventBody({}));
    assert.equal(answer.status, 201, answer.text);
    await eventually('the push', () => hook.requests.length > before);
    const { headers, body } = hook.requests[before];
    return { headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])), body: body.toString() };
}

const stripe = new Stripe('sk_test_of_nobody');
const signed = ['webhook-auth', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'stripe-signature', 'x-hub-signature-256', 'x-shopify-hmac-sha256',
    'x-slack-signature', 'x-slack-request-timestamp', 'content-digest', 'signature-input', 'signature'];
const carried = (push) => signed.filter((name) => push.headers[name] !== undefined);

test('signatures: each is sent when it is asked for, and no other', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const { id, signatures } = await endpoint(server, { url: hook.url });
    assert.deepEqual(signatures, ['webhook-auth', 'standard']);
    const ask = async (names) => {
        const answer = await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { signatures: names } } });
        assert.equal(answer.status, 200, answer.text);
        return answer.json.data.attributes.signatures;
    };
    assert.deepEqual(carried(await pushed(server, hook)), signed.slice(0, 4));
    for (const [names, headers] of [
        [['stripe'], ['stripe-signature']],
        [['github'], ['x-hub-signature-256']],
        [['shopify', 'slack'], ['x-shopify-hmac-sha256', 'x-slack-signature', 'x-slack-request-timestamp']],
        [['standard-ed25519'], ['webhook-id', 'webhook-timestamp', 'webhook-signature']],
        [['rfc9421'], ['webhook-id', 'content-digest', 'signature-input', 'signature']],
    ]) {
        assert.deepEqual(await ask(names), names);
        assert.deepEqual(carried(await pushed(server, hook)), headers);
    }
    const all = ['webhook-auth', 'standard', 'stripe', 'github', 'shopify', 'slack', 'standard-ed25519', 'rfc9421'];
    assert.deepEqual(await ask([...all].reverse()), all);
    assert.deepEqual(carried(await pushed(server, hook)), signed);
    assert.deepEqual(await ask(null), ['webhook-auth', 'standard']);
    assert.deepEqual(carried(await pushed(server, hook)), signed.slice(0, 4));
});

test('signatures: while an old secret overlaps a new one, stripe has both, github the newest', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const key = await api(server, 'POST', `/api/signing_secrets/default/reveal`);
    const old = key.json.data.attributes.secret;
    const id = server.user_id;
    const answer = await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { url: hook.url, signatures: ['stripe', 'github'] } } });
    assert.equal(answer.status, 200, answer.text);
    const made = await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets', attributes: { algorithm: 'v1' } } });
    const fresh = made.json.data.attributes.secret;
    assert.equal((await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets', attributes: { algorithm: 'v1a' } } })).status, 201);
    const push = await pushed(server, hook);
    for (const secret of [old, fresh])
        stripe.webhooks.constructEvent(push.body, push.headers['stripe-signature'], secret);
    assert.equal(push.headers['stripe-signature'].match(/v1=/g).length, 2);
    assert.equal(await githubVerify(fresh, push.body, push.headers['x-hub-signature-256']), true);
    assert.equal(await githubVerify(old, push.body, push.headers['x-hub-signature-256']), false);
});
