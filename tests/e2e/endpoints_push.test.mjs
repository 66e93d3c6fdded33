// How pushes to an endpoint are made: the signatures, as the packages of Standard Webhooks, Stripe
// and GitHub judge them, and the published recipes of Shopify and Slack.
import { verify as githubVerify } from '@octokit/webhooks-methods';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { api, eventBody, eventually, receiver, serve } from './harness.mjs';

async function endpoint(server, attributes) {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return { id: answer.json.data.id, secret: answer.json.meta.signing_secret, signatures: answer.json.data.attributes.signatures };
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
const hmac = (secret, text, as) => crypto.createHmac('sha256', secret).update(text).digest(as);
const signed = ['webhook-auth', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'stripe-signature', 'x-hub-signature-256', 'x-shopify-hmac-sha256',
    'x-slack-signature', 'x-slack-request-timestamp'];
const carried = (push) => signed.filter((name) => push.headers[name] !== undefined);

test('signatures: each is what its service would send, and no other is sent', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const { id, secret, signatures } = await endpoint(server, { url: hook.url });
    assert.deepEqual(signatures, ['webhook-auth', 'standard']);
    const ask = async (names) => {
        const answer = await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { signatures: names } } });
        assert.equal(answer.status, 200, answer.text);
        return answer.json.data.attributes.signatures;
    };
    assert.deepEqual(carried(await pushed(server, hook)), signed.slice(0, 4));

    assert.deepEqual(await ask(['stripe']), ['stripe']);
    let push = await pushed(server, hook);
    assert.deepEqual(carried(push), ['stripe-signature']);
    assert.equal(stripe.webhooks.constructEvent(push.body, push.headers['stripe-signature'], secret).data.type, JSON.parse(push.body).data.type);
    assert.throws(() => stripe.webhooks.constructEvent(`${push.body} `, push.headers['stripe-signature'], secret));
    assert.throws(() => stripe.webhooks.constructEvent(push.body, push.headers['stripe-signature'], `${secret}x`));

    await ask(['github']);
    push = await pushed(server, hook);
    assert.deepEqual(carried(push), ['x-hub-signature-256']);
    assert.equal(await githubVerify(secret, push.body, push.headers['x-hub-signature-256']), true);
    assert.equal(await githubVerify(secret, `${push.body} `, push.headers['x-hub-signature-256']), false);

    // Shopify and Slack publish these recipes; their packages come with whole frameworks.
    await ask(['shopify', 'slack']);
    push = await pushed(server, hook);
    assert.deepEqual(carried(push), signed.slice(6));
    assert.equal(push.headers['x-shopify-hmac-sha256'], hmac(secret, push.body, 'base64'));
    const at = push.headers['x-slack-request-timestamp'];
    assert.ok(Math.abs(Date.now() / 1000 - at) < 300);
    assert.equal(push.headers['x-slack-signature'], `v0=${hmac(secret, `v0:${at}:${push.body}`, 'hex')}`);

    assert.deepEqual(await ask(['slack', 'shopify', 'github', 'stripe', 'standard', 'webhook-auth']),
                     ['webhook-auth', 'standard', 'stripe', 'github', 'shopify', 'slack']);
    push = await pushed(server, hook);
    assert.deepEqual(carried(push), signed);
    new Webhook(secret).verify(push.body, push.headers);

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
