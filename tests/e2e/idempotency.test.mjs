// An Idempotency-Key on every POST that makes something: made once, also when the server is killed before the repeat.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, serve } from './harness.mjs';

const posts = [
    { type: 'users', attributes: { name: 'Ana' }, once: (json) => json.meta.api_key },
    { type: 'api_keys', attributes: { label: 'one' }, once: (json) => json.data.attributes.token },
    { type: 'signing_secrets', attributes: { algorithm: 'v1' }, once: (json) => json.data.attributes.secret },
    { type: 'endpoints', attributes: { url: 'https://example.com/' }, once: (json) => json.meta.signing_secret },
];
const make = (server, { type, attributes }, key) =>
    api(server, 'POST', `/api/${type}`, { data: { type, attributes } }, { headers: { 'Idempotency-Key': key } });

test('11: users, keys, secrets and endpoints are made once for a key, over a kill; what is shown once is not shown again', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const made = [];
    for (const one of posts) {
        const answer = await make(server, one, 'k');
        assert.equal(answer.status, 201, answer.text);
        assert.ok(one.once(answer.json), answer.text);
        assert.equal(answer.headers.get('idempotency-replayed'), null);
        made.push(answer.json.data.id);
    }
    await server.end('SIGKILL');
    const again = await serve(t, { install: server, args: ['--rate-limit', '0'] });
    for (const [i, one] of posts.entries()) {
        const answer = await make(again, one, '"k"');
        assert.deepEqual([answer.status, answer.json.data?.id], [201, made[i]], answer.text);
        assert.equal(answer.headers.get('idempotency-replayed'), 'true');
        assert.equal(one.once(answer.json), undefined);
        const other = await make(again, { ...one, attributes: {} }, 'k');
        assert.equal(other.status, 422, other.text);
        const listed = await api(again, 'GET', `/api/${one.type}`);
        assert.equal(listed.json.data.length, 2, listed.text); // and the one that init made
    }
});
