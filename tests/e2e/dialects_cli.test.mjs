// The signatures on the command line: `posthorn trigger --to` and `doctor --ping` sign so, and `posthorn verify` judges a saved push.
import { verify as githubVerify } from '@octokit/webhooks-methods';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import Stripe from 'stripe';
import { api, folder, post, posthorn, receiver, serve } from './harness.mjs';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

/** whsk_ and whpk_ of a seed. */
function keyPair(byte) {
    const seed = Buffer.alloc(32, byte);
    const key = crypto.createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]) });
    const half = Buffer.from(crypto.createPublicKey(key).export({ format: 'jwk' }).x, 'base64url');
    return { private_key: `whsk_${Buffer.concat([seed, half]).toString('base64')}`, public_key: `whpk_${half.toString('base64')}` };
}
const [PAIR, STRANGER] = [keyPair(1), keyPair(2)];

const kept = ({ headers, body }) => ({ headers, body: body.toString() });

async function verify(t, { headers, body }, ...args) {
    const file = join(folder(t), 'push');
    writeFileSync(file, `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
    const { code, stdout, stderr } = await posthorn('verify', file, '--json', ...args);
    assert.equal(stderr, '');
    return [code, Object.fromEntries(JSON.parse(stdout).parts.map(({ part, reason }) => [part, reason]))];
}

const CASES = [
    { name: 'stripe', part: 'Stripe-Signature', header: 'stripe-signature', ages: true },
    { name: 'github', part: 'X-Hub-Signature-256', header: 'x-hub-signature-256' },
    { name: 'shopify', part: 'X-Shopify-Hmac-Sha256', header: 'x-shopify-hmac-sha256' },
    { name: 'slack', part: 'X-Slack-Signature', header: 'x-slack-request-timestamp', ages: true },
    { name: 'standard', part: 'webhook-signature', header: 'webhook-id', ages: true, wrong: 'mismatch' },
    { name: 'standard-ed25519', part: 'webhook-signature', header: 'webhook-timestamp', ages: true, asymmetric: true, wrong: 'mismatch' },
    { name: 'rfc9421', part: 'Signature', header: 'content-digest', ages: true, asymmetric: true, body: 'body' },
];

for (const { name, part, header, ages, asymmetric, body = 'wrong' } of CASES) {
    test(`posthorn trigger --to, verify: --signatures ${name}`, async (t) => {
        const hook = await receiver(t);
        const sent = await posthorn('trigger', 'user_enabled', '--to', hook.url, '--signatures', name, '--secret', asymmetric ? PAIR.private_key : SECRET);
        assert.equal(sent.code, 0, sent.stderr + sent.stdout);
        const push = kept((await hook.arrived(1))[0]);
        const of = (secret) => ['--secret', secret, '--url', hook.url];
        const right = of(asymmetric ? PAIR.public_key : SECRET);
        for (const named of [[], ['--signatures', name]]) assert.deepEqual(await verify(t, push, ...right, ...named), [0, { [part]: 'ok', body: 'ok' }]);

        const changed = (await verify(t, { ...push, body: push.body.replace('"', ' "') }, ...right))[1][part];
        const wrong = (await verify(t, push, ...of(asymmetric ? STRANGER.public_key : OTHER)))[1][part];
        if (part === 'webhook-signature') assert.ok(![changed, wrong].includes('ok'));
        else assert.deepEqual([changed, wrong], [body, 'wrong']);
        const without = { ...push, headers: push.headers.filter(([one]) => one.toLowerCase() !== header) };
        assert.ok(['missing', 'wrong_name'].includes((await verify(t, without, ...right, '--signatures', name))[1][part]));
        if (ages) {
            const late = await verify(t, push, ...right, '--at', '4000000000');
            assert.deepEqual([late[0], late[1][part]], [1, 'clock']);
        }
    });
}

test('posthorn trigger --to, doctor --ping: --signatures stripe,github is what the packages of these accept', async (t) => {
    const hook = await receiver(t);
    const args = ['--signatures', 'stripe,github', '--secret', SECRET];
    assert.equal((await posthorn('trigger', 'user_enabled', '--to', hook.url, ...args)).code, 0);
    const { code, stdout } = await posthorn('doctor', hook.url, '--dev', '--ping', ...args);
    assert.equal(code, 0, stdout);
    for (const push of (await hook.arrived(2)).map(kept)) {
        const of = (name) => push.headers.find(([one]) => one.toLowerCase() === name)?.[1];
        new Stripe('sk_test_of_nobody').webhooks.constructEvent(push.body, of('stripe-signature'), SECRET);
        assert.equal(await githubVerify(SECRET, push.body, of('x-hub-signature-256')), true);
        assert.equal(of('webhook-signature'), undefined);
        assert.deepEqual(await verify(t, push, '--secret', SECRET), [0, { 'Stripe-Signature': 'ok', 'X-Hub-Signature-256': 'ok', body: 'ok' }]);
    }
});

test('posthorn verify: a push of a server during an overlap, with each of its secrets', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const attributes = { url: hook.url, signatures: ['stripe', 'rfc9421'] };
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    const secrets = `/api/endpoints/${made.json.data.id}/signing_secrets`;
    const add = async (algorithm) => (await api(server, 'POST', secrets, { data: { type: 'signing_secrets', attributes: { algorithm } } })).json.data.attributes;
    const old = (await api(server, 'GET', secrets)).json.data.find(({ id }) => id === 'default-v1a').attributes.public_key;
    const keys = [[made.json.meta.signing_secret, old], [(await add('v1')).secret, (await add('v1a')).public_key]];
    await post(server);
    const push = kept((await hook.arrived(1))[0]);
    for (const [secret, key] of keys)
        assert.deepEqual(await verify(t, push, '--secret', secret, '--secret', key, '--url', hook.url), [0, { 'Stripe-Signature': 'ok', Signature: 'ok', body: 'ok' }]);
    assert.equal((await verify(t, push, '--secret', SECRET, '--secret', old))[1].Signature, 'url');
});

test('posthorn trigger, verify: --signatures that cannot be had says what to do', async (t) => {
    const to = ['trigger', 'user_enabled', '--to', 'http://127.0.0.1:1/'];
    const verifying = ['verify', '/dev/null', '--secret', SECRET];
    for (const [args, message] of [
        [[...to, '--signatures', 'strpe', '--secret', SECRET], /there is no 'strpe'; do you mean stripe\?/],
        [[...to, '--signatures', 'nonsense', '--secret', SECRET], /The names are webhook-auth, standard, stripe/],
        [[...to, '--signatures', 'stripe,', '--secret', SECRET], /there is no ''/],
        [[...to, '--signatures', 'stripe'], /--signatures stripe needs --secret whsec_/],
        [[...to, '--signatures', 'rfc9421', '--secret', SECRET], /--signatures rfc9421 needs --secret whsk_/],
        [[...to, '--signatures', 'webhook-auth'], /needs --api-key/],
        [['trigger', 'user_enabled', '--signatures', 'stripe'], /--signatures needs --to/],
        [[...verifying, '--signatures', 'hub'], /there is no 'hub'/],
        [[...verifying, '--signatures', 'webhook-auth'], /needs --api-key/],
        [['verify', '/dev/null', '--api-key', 'k', '--signatures', 'github'], /needs --secret/],
    ]) {
        const { code, stderr } = await posthorn(...args);
        assert.deepEqual([code, message.test(stderr)], [2, true], stderr);
    }
});
