// The signing secrets of an operator and of its users: init, `posthorn secrets`, and the secrets that each key may reveal.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { api, eventually, initialize, makeUser, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const headersOf = (request) =>
    Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, request.header(name)]));
const secrets = (server, ...args) => posthorn('secrets', ...args, '--server', server.url, '--key', server.api_key);

test("8.32: init shows the first user's signing secret, pushes verify with it, and `secrets reveal` shows it again", async (t) => {
    const install = await initialize(t);
    assert.match(install.signing_secret, /^whsec_/);
    const server = await serve(t, { install });
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    await post(server);
    const [request] = await hook.arrived(1);
    new Webhook(install.signing_secret).verify(request.body.toString(), headersOf(request));
    const { code, stdout, stderr } = await secrets(server, 'reveal');
    assert.deepEqual([code, stdout, stderr], [0, `${install.signing_secret}\n`, '']);
    await eventually('that it was revealed is in the log', () => /user 5: API key \d+ was shown the first signing secret/.test(server.stderr));
    assert.ok(!server.output.includes(install.signing_secret));
});

test('8.32: `secrets rotate` makes a secret that signs at once beside the first, and says until when that signs', async (t) => {
    const server = await serve(t);
    const first = (await secrets(server, 'reveal')).stdout.trim();
    const rotated = await secrets(server, 'rotate', '--overlap', '3600');
    assert.match(rotated.stdout, /^whsec_\S+\n$/);
    assert.match(rotated.stderr, /default signs until 2\S+Z/);
    const again = await secrets(server, 'reveal');
    assert.deepEqual([again.stdout.trim(), /default signs until 2\S+Z/.test(again.stderr)], [first, true]);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    await post(server);
    const [request] = await hook.arrived(1);
    for (const secret of [first, rotated.stdout.trim()]) new Webhook(secret).verify(request.body.toString(), headersOf(request));

    const made = await secrets(server, 'create', '--algorithm', 'v1a', '--json');
    assert.match(JSON.parse(made.stdout).data.attributes.public_key, /^whpk_/);
    const listed = (await secrets(server, 'list')).stdout;
    assert.match(listed, /^default +v1 +true/m);
    assert.match(listed, /^[0-9a-f]{16} +v1a +true +\S+ +- +whpk_/m);
    assert.ok(!listed.includes('whsec_') && !listed.includes('whsk_'));
    assert.equal((await secrets(server, 'rotate', '--overlap', '0')).stdout.match(/^wh/gm).length, 2);

    assert.equal((await secrets(server, 'remove', 'default')).code, 0);
    const gone = await secrets(server, 'reveal');
    assert.deepEqual([gone.code, gone.stdout], [1, '']);
    assert.match(gone.stderr, /has been removed; `posthorn secrets rotate`/);
});

test('8.32: a secret is revealed to a key of its own user alone, and only the first one', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const reveal = (id, options) => api(server, 'POST', `/api/signing_secrets/${id}/reveal`, undefined, options);
    const own = await reveal('default', { key: user.api_key });
    assert.equal(own.status, 200);
    assert.equal(own.headers.get('cache-control'), 'no-store');
    const masters = await reveal('default');
    assert.notEqual(masters.json.data.attributes.secret, own.json.data.attributes.secret);
    for (const key of [null, 'guess']) assert.equal((await reveal('default', { key })).status, 401);

    const as = await reveal('default', { key: `${server.api_key}; user=${user.user_id}` });
    assert.equal(as.status, 403, as.text);
    const made = await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets' } });
    const later = await reveal(made.json.data.id);
    assert.deepEqual([later.status, later.json.errors[0].code], [403, 'secret_shown_once']);
    assert.equal((await reveal('0123456789abcdef')).status, 404);
    for (const answer of [as, later]) assert.ok(!answer.text.includes('whsec_'));
    assert.equal((await posthorn('secrets', 'reveal', '--user', user.user_id, '--server', server.url, '--key', server.api_key)).code, 2);
    const { stdout } = await posthorn('secrets', 'create', '--user', user.user_id, '--server', server.url, '--key', server.api_key);
    assert.match(stdout, /^whsec_/);
});
