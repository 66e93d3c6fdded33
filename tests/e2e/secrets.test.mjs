// WEBHOOK-AUTH is a bearer secret, and so is the key: neither stands in a log, an answer, or the database.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, makeUser, post, receiver, serve, setUrl, sha256 } from './harness.mjs';

test('no key and no digest in any log or answer', async (t) => {
    const server = await serve(t, { args: ['--log-level', 'debug', '--time-scale', '100'] });
    const there = await receiver(t, (push, number) => (number === 1 ? null : answer(number === 2 ? 500 : 200)));
    await setUrl(server, there.url);
    const user = await makeUser(server);
    const id = await post(server);
    await there.arrived(3);
    const answers = [];
    for (const path of ['/api/users/me', '/api/users', `/api/users/${user.user_id}`, '/api/api_keys', '/api/events',
                        `/api/events/${id}`, `/api/events/${id}/deliveries`, '/metrics', '/health',
                        `/api/deliveries/${(await delivery(server, id)).id}`, '/api/nothing']) {
        answers.push((await api(server, 'GET', path)).text);
    }
    answers.push((await api(server, 'GET', '/api/users/me', undefined, { key: sha256(server.api_key) })).text);
    answers.push((await api(server, 'PATCH', '/api/users/me', `{"data":"${server.api_key}"`)).text);
    await server.end('SIGTERM');
    for (const secret of [server.api_key, user.api_key, sha256(server.api_key), sha256(user.api_key)]) {
        for (const text of answers) assert.ok(!text.includes(secret), text);
        assert.ok(!server.stderr.includes(secret), server.stderr);
        assert.ok(!server.stdout.includes(secret), server.stdout);
    }
    for (const file of readdirSync(server.data)) {
        const bytes = readFileSync(join(server.data, file));
        assert.ok(!bytes.includes(server.api_key), `${file} holds the key`);
    }
});

test("the digest of a key is no key, nor is another install's", async (t) => {
    const [one, other] = [await serve(t), await serve(t)];
    for (const key of [sha256(one.api_key), other.api_key, 'guess', '', null]) {
        assert.equal((await api(one, 'GET', '/api/users/me', undefined, { key })).status, 401);
    }
    assert.equal((await api(one, 'GET', `/api/users/me?api_key=${one.api_key}`, undefined, { key: null })).status, 401);
    assert.equal((await api(one, 'GET', '/api/users/me')).status, 200);
});
