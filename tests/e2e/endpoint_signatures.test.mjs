// The signatures of a push, judged by public packages: each accepts the captured push, and refuses four bad ones.
import '@shopify/shopify-api/adapters/node';
import { Webhooks } from '@octokit/webhooks';
import { shopifyApi } from '@shopify/shopify-api';
import slack from '@slack/bolt/dist/receivers/verify-request.js';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { httpbis } from 'http-message-signatures';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { api, post, receiver, serve } from './harness.mjs';

const DAY_S = 24 * 3600;

/** A server whose endpoint signs so, and the push that came: { url, headers, body } with the endpoint's keys. */
async function captured(t, signatures, { path = '/hook?x=1' } = {}) {
    const server = await serve(t);
    const hook = await receiver(t);
    const url = new URL(path, hook.url).href;
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url, signatures } } });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json.data.attributes.signatures, signatures);
    const secrets = `/api/endpoints/${made.json.data.id}/signing_secrets`;
    const next = async () => {
        const before = hook.requests.length;
        await post(server);
        const request = (await hook.arrived(before + 1))[before];
        return { url, headers: Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value])), body: request.body.toString() };
    };
    const keys = async () => Object.fromEntries((await api(server, 'GET', secrets)).json.data.filter((one) => one.attributes.active && one.attributes.public_key)
        .map((one) => [one.id, one.attributes.public_key]));
    return { server, id: made.json.data.id, secrets, secret: made.json.meta.signing_secret, push: await next(), next, keys };
}

/** What `judge` (a promise or a value; it throws, or is false or null, for a push that it refuses) says. */
async function accepts(judge, push, secret) {
    try {
        return ![false, null, undefined].includes(await judge(push, secret));
    } catch {
        return false;
    }
}

async function later(seconds, run) {
    const Real = globalThis.Date;
    const now = () => Real.now() + seconds * 1000;
    globalThis.Date = class extends Real {
        constructor(...args) {
            super(...(args.length ? args : [now()]));
        }

        static now() {
            return now();
        }
    };
    try {
        return await run();
    } finally {
        globalThis.Date = Real;
    }
}

async function judged(judge, push, secret, { wrong, header, ages = true }) {
    const without = { ...push.headers };
    delete without[header];
    assert.equal(await accepts(judge, push, secret), true, 'as it came');
    assert.equal(await accepts(judge, { ...push, body: push.body.replace('"', ' "') }, secret), false, 'body changed');
    assert.equal(await accepts(judge, push, wrong), false, 'wrong secret');
    assert.equal(await accepts(judge, { ...push, headers: without }, secret), false, 'header missing');
    if (ages) assert.equal(await later(DAY_S, () => accepts(judge, push, secret)), false, 'old');
}
const WRONG = `whsec_${crypto.randomBytes(32).toString('base64')}`;

test('signatures: standard: the package standardwebhooks', async (t) => {
    const { push, secret } = await captured(t, ['standard']);
    await judged(({ body, headers }, key) => new Webhook(key).verify(body, headers), push, secret, { wrong: WRONG, header: 'webhook-signature' });
});

test('signatures: stripe: the package stripe', async (t) => {
    const { push, secret } = await captured(t, ['stripe']);
    const stripe = new Stripe('sk_test_of_nobody');
    await judged(({ body, headers }, key) => stripe.webhooks.constructEvent(body, headers['stripe-signature'], key), push, secret,
        { wrong: WRONG, header: 'stripe-signature' });
});

test('signatures: github: the package @octokit/webhooks', async (t) => {
    const { push, secret } = await captured(t, ['github']);
    await judged(({ body, headers }, key) => new Webhooks({ secret: key }).verify(body, headers['x-hub-signature-256']), push, secret,
        { wrong: WRONG, header: 'x-hub-signature-256', ages: false });
});

test('signatures: slack: the package @slack/bolt', async (t) => {
    const { push, secret } = await captured(t, ['slack']);
    await judged(({ body, headers }, key) => slack.isValidSlackRequest({ signingSecret: key, body, headers }), push, secret,
        { wrong: WRONG, header: 'x-slack-request-timestamp' });
});

// Its validation of webhooks proper also wants X-Shopify-Topic and the like; that of fulfilment services wants the
// signature alone, and is the same computation.
test('signatures: shopify: the package @shopify/shopify-api', async (t) => {
    const { push, secret } = await captured(t, ['shopify']);
    const judge = async ({ body, headers }, key) => {
        const shopify = shopifyApi({ apiKey: 'k', apiSecretKey: key, apiVersion: '2025-01', isEmbeddedApp: false, hostName: 'example.com', scopes: [],
            logger: { log: () => {} } });
        return (await shopify.fulfillmentService.validate({ rawBody: body, rawRequest: { headers, method: 'POST', url: '/hook' } })).valid;
    };
    await judged(judge, push, secret, { wrong: WRONG, header: 'x-shopify-hmac-sha256', ages: false });
});

// ---- Ed25519 ----

/** A whpk_ text as node:crypto has it. */
const publicKey = (text) => crypto.createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(text.slice(5), 'base64').toString('base64url') } });
const another = () => `whpk_${Buffer.from(crypto.generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64')}`;

/** By the text of Standard Webhooks 1.0: no package of npm verifies v1a. */
function standardEd25519({ body, headers }, key) {
    const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => headers[`webhook-${name}`]);
    assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300);
    return signatures.split(' ').some((one) => {
        const [version, signature] = one.split(',');
        return version === 'v1a' && crypto.verify(null, Buffer.from(`${id}.${timestamp}.${body}`), publicKey(key), Buffer.from(signature, 'base64'));
    });
}

test('signatures: standard-ed25519: v1a by a key pair that the endpoint has, whose public half its owner reads', async (t) => {
    const { push, keys, server, secrets, next } = await captured(t, ['standard-ed25519']);
    const first = Object.entries(await keys());
    assert.deepEqual(first.map(([id]) => id), ['default-v1a']);
    assert.match(push.headers['webhook-signature'], /^v1a,\S+$/); // and no HMAC
    assert.equal(push.headers['webhook-auth'], undefined);
    await judged(standardEd25519, push, first[0][1], { wrong: another(), header: 'webhook-timestamp' });

    const last = await api(server, 'DELETE', `${secrets}/default-v1a`);
    assert.deepEqual([last.status, last.json.errors[0].code], [409, 'last_secret']);
    const made = await api(server, 'POST', secrets, { data: { type: 'signing_secrets', attributes: { algorithm: 'v1a', overlap_s: 3600 } } });
    assert.equal(made.status, 201, made.text);
    const both = await next();
    assert.equal(both.headers['webhook-signature'].split(' ').length, 2);
    for (const key of [first[0][1], made.json.data.attributes.public_key]) assert.equal(await accepts(standardEd25519, both, key), true);
    assert.equal((await api(server, 'DELETE', `${secrets}/default-v1a`)).status, 204);
    const one = await next();
    assert.equal(await accepts(standardEd25519, one, first[0][1]), false);
    assert.equal(await accepts(standardEd25519, one, made.json.data.attributes.public_key), true);
});

const COMPONENTS = ['@method', '@target-uri', 'content-digest', 'content-type', 'webhook-id'];

/** With the package http-message-signatures; the digest, which is not its business, by node:crypto. `keys` by keyid. */
async function rfc9421({ url, body, headers }, keys) {
    if (headers['content-digest'] !== `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`) return false;
    const keyLookup = async ({ keyid }) => keys[keyid] && {
        id: keyid, algs: ['ed25519'], verify: async (data, signature) => crypto.verify(null, data, publicKey(keys[keyid]), signature) };
    return httpbis.verifyMessage({ keyLookup, requiredFields: COMPONENTS, requiredParams: ['created', 'keyid', 'alg'], maxAge: 300, tolerance: 60, all: true },
        { method: 'POST', url, headers });
}

test('signatures: rfc9421: the package http-message-signatures', async (t) => {
    const { push, keys, server, secrets, next, id } = await captured(t, ['rfc9421']);
    const first = await keys();
    assert.deepEqual(Object.keys(first), ['default-v1a']);
    assert.equal(push.headers['webhook-signature'], undefined);
    const wrong = { 'default-v1a': another() };
    for (const header of ['signature', 'signature-input', 'content-digest', 'webhook-id', 'content-type']) await judged(rfc9421, push, first, { wrong, header });
    for (const [what, bad] of [['url', { url: `${push.url}2` }], ['id', { headers: { ...push.headers, 'webhook-id': '1' } }]])
        assert.equal(await accepts(rfc9421, { ...push, ...bad }, first), false, what);

    await api(server, 'POST', secrets, { data: { type: 'signing_secrets', attributes: { algorithm: 'v1a' } } });
    const two = await keys();
    assert.equal(Object.keys(two).length, 2);
    const both = await next();
    assert.match(both.headers.signature, /^sig1=:[^:]+:, sig2=:[^:]+:$/);
    assert.equal(await accepts(rfc9421, both, two), true);
    for (const [keyid, key] of Object.entries(two)) // a receiver that knows one of them alone
        assert.equal(await httpbis.verifyMessage({ keyLookup: async (of) => of.keyid === keyid ? { id: keyid, algs: ['ed25519'],
            verify: async (data, signature) => crypto.verify(null, data, publicKey(key), signature) } : null },
        { method: 'POST', url: both.url, headers: both.headers }), true);

    const all = ['webhook-auth', 'standard', 'stripe', 'github', 'shopify', 'slack', 'standard-ed25519', 'rfc9421'];
    assert.equal((await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { signatures: all } } })).status, 200);
    const every = await next();
    assert.equal(await accepts(rfc9421, every, two), true);
    assert.equal(every.headers['webhook-signature'].split(' ').length, 3);
    assert.deepEqual(['webhook-auth', 'stripe-signature', 'x-hub-signature-256', 'x-shopify-hmac-sha256', 'x-slack-signature'].filter((name) => !every.headers[name]), []);
});
