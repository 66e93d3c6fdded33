// The server's log of deliveries (issue 8.14), and that no secret is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventually, makeUser, post, receiver, serve, setUrl, sha256 } from './harness.mjs';

const logged = (server, pattern) => eventually(`${pattern} in the log`, () => server.stderr.match(pattern));
const change = (server, attributes, { id = server.user_id, key } = {}) =>
    api(server, 'PATCH', `/api/users/${id}`, { data: { type: 'users', id, attributes } }, { key });

test('8.14: an endpoint that starts failing, recovers, and an event that is given up are in the log', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '1000', '--window', '10m'] });
    let status = 500;
    const { url } = await receiver(t, () => answer(status));
    await setUrl(server, url);
    const event = await post(server);
    await logged(server, new RegExp(`info delivery: endpoint starts failing: user=5 endpoint=5 reason=unexpected_status status=500 event=${event} delivery=\\d+`));
    await logged(server, new RegExp(`info delivery: event given up: user=5 endpoint=5 event=${event} delivery=\\d+ attempts=\\d+ reason=unexpected_status status=500`));
    status = 200;
    await post(server);
    await logged(server, /info delivery: endpoint recovers: user=5 endpoint=5 failed_attempts=[1-9]\d* failed_for_ms=\d+/);
});

test('8.14: an endpoint that is disabled by 410 or paused by hand is in the log', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const { url } = await receiver(t, () => answer(410));
    await change(server, { webhook_url: url, disable_on_410: true }, { id: user.user_id });
    const event = await post(server, { user: user.user_id });
    await logged(server, new RegExp(`info delivery: endpoint is disabled: user=${user.user_id} endpoint=${user.user_id} status=410 event=${event} .*disable_on_410`));
    await change(server, { paused: false }, { id: user.user_id, key: user.api_key });
    await logged(server, new RegExp(`info delivery: endpoint is no longer disabled: user=${user.user_id} endpoint=${user.user_id} by_user=${user.user_id}`));
    await change(server, { paused: true }, { id: user.user_id });
    await logged(server, new RegExp(`info delivery: endpoint is paused: user=${user.user_id} endpoint=${user.user_id} by_user=5`));
});

test('8.14: at debug each attempt is in the log, and never a secret', async (t) => {
    const server = await serve(t, { args: ['--log-level', 'debug', '--log-json', '--time-scale', '100'] });
    const { json } = await api(server, 'POST', '/api/signing_secrets/default/reveal');
    const { url } = await receiver(t, (request, number) =>
        answer(number < 3 ? 401 : 200, `no: ${request.header('WEBHOOK-AUTH')} ${request.header('webhook-signature')}`));
    await setUrl(server, `${url}/hook/TOKEN-IN-PATH?token=TOKEN-IN-QUERY`);
    const event = await post(server);
    await eventually('delivered', async () => (await delivery(server, event)).attributes.state === 'delivered');
    await logged(server, /attempt=3 outcome=delivered reason=none status=200/);
    const lines = server.stderr.trim().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const attempts = lines.filter((line) => line.level === 'debug' && line.module === 'delivery' && line.message.includes(`event=${event}`));
    assert.deepEqual(attempts.map((line) => line.message.match(/outcome=(\w+) reason=(\w+) status=(\d+)/).slice(1).join()),
        ['retry,unexpected_status,401', 'retry,unexpected_status,401', 'delivered,none,200']);
    for (const secret of [server.api_key, sha256(server.api_key), json.data.attributes.secret, 'TOKEN-IN', 'v1,'])
        assert.ok(!server.stderr.toLowerCase().includes(secret.toLowerCase()), secret);
});
