// Item 8.10: an event that goes to nobody says so, waits for nothing, and can be sent later.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { api, delivery, eventually, folder, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const event = { data: { type: 'events', attributes: { event_type: 'user_enabled' } } };
const FREE = ['--rate-limit', '0'];

const ask = async (server, ...words) =>
    (await posthorn(...words, '--server', server.url, '--key', server.api_key)).stdout;
const figures = async (server) => (await (await fetch(`${server.url}/metrics`)).text());
const undelivered = async (server) =>
    (await api(server, 'GET', '/api/events?filter[undelivered]=true')).json.data.map((one) => one.id);

test('8.10: the 201 says that an event goes to nobody; it is sent once there is a URL, after a kill, too', async (t) => {
    let server = await serve(t, { args: FREE });
    const headers = { 'Idempotency-Key': 'once' };
    const created = await api(server, 'POST', '/api/events', event, { headers });
    assert.equal(created.status, 201);
    const { deliveries, skipped_delivery: id, note } = created.json.meta;
    assert.equal(deliveries, 0);
    assert.match(note, new RegExp(`goes to nobody: user ${server.user_id} has no webhook_url.*POST /api/deliveries/${id}/resend`));
    const event_id = created.json.data.id;
    assert.deepEqual((await api(server, 'POST', '/api/events', event, { headers })).json, created.json, 'told again');

    await server.end('SIGKILL');
    server = await serve(t, { install: server, args: FREE });
    const skipped = await delivery(server, event_id);
    assert.equal(skipped.id, id);
    assert.equal(skipped.attributes.state, 'skipped');
    assert.equal(skipped.attributes.next_attempt_in_ms, null);
    assert.deepEqual(await undelivered(server), [event_id]);
    assert.match(await figures(server), /posthorn_deliveries\{state="skipped"\} 1\n/);
    assert.match(await figures(server), /posthorn_deliveries\{state="pending"\} 0\n/);
    assert.match(await ask(server, 'why', event_id),
        new RegExp(`Sent to nobody: no webhook_url was set when it came\\. Set one, and then POST /api/deliveries/${id}/resend sends it\\.`));
    assert.match(await ask(server, 'deliveries', 'list', event_id), /skipped/);

    const early = await api(server, 'POST', `/api/deliveries/${id}/resend`);
    assert.equal(early.status, 409);
    assert.equal(early.json.errors[0].code, 'delivery_state');
    assert.match(early.json.errors[0].detail, new RegExp(`no webhook_url. Set the webhook_url of user ${server.user_id}`));
    assert.equal((await api(server, 'POST', `/api/deliveries/${id}/cancel`)).status, 409);

    const there = await receiver(t);
    await setUrl(server, there.url);
    assert.match(await ask(server, 'why', event_id), new RegExp(`With one set, POST /api/deliveries/${id}/resend sends it`));
    const now = await post(server);
    await eventually('the new one is delivered', async () =>
        (await delivery(server, now)).attributes.state === 'delivered');
    assert.deepEqual(there.requests.map((one) => one.id), [now], 'a URL alone sends nothing of the past');
    assert.equal((await api(server, 'POST', `/api/deliveries/${id}/resend`)).status, 200);
    await eventually('the old one is delivered', async () =>
        (await delivery(server, event_id)).attributes.state === 'delivered');
    assert.equal(there.of(event_id).length, 1);
    assert.deepEqual(await undelivered(server), []);
    assert.match(await figures(server), /posthorn_deliveries\{state="skipped"\} 0\n/);
    assert.equal((await api(server, 'POST', '/api/events', event, { headers })).json.meta, undefined, 'no longer so');
});

test('8.10: the lines of a batch, an event with a warning, and a large one say it, too', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    const lines = [event, event].map((one) => JSON.stringify(one)).join('\n');
    const batch = async () => {
        const response = await fetch(`${server.url}/api/events`, { method: 'POST', body: lines, headers: {
            Authorization: server.api_key, 'Content-Type': 'application/x-ndjson' } });
        assert.equal(response.status, 201);
        return (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
    };
    for (const [i, { meta, data }] of (await batch()).entries()) {
        assert.equal(meta.line, i + 1);
        assert.equal(meta.status, '201');
        assert.equal(meta.deliveries, 0);
        assert.equal((await delivery(server, data.id)).id, meta.skipped_delivery);
    }
    const large = structuredClone(event);
    large.data.relationships = { ...large.data.relationships, note: { data: { type: 'notes', id: '1' } } };
    large.included = [...(large.included ?? []), { type: 'notes', id: '1', attributes: { text: 'x'.repeat(500_000) } }];
    const answer = await api(server, 'POST', '/api/events', large);
    assert.equal(answer.status, 201);
    assert.equal(answer.json.meta.deliveries, 0);
    assert.equal(answer.json.included?.at(-1).attributes.text.length ?? 500_000, 500_000);
    const odd = await api(server, 'POST', '/api/events', { ...event, extra: 1 });
    assert.equal(odd.status, 201);
    assert.equal(odd.json.meta.deliveries, 0);
    assert.equal(odd.json.meta.warnings.length, 1);

    await setUrl(server, there.url);
    for (const { meta } of await batch()) assert.deepEqual(Object.keys(meta), ['line', 'status']);
    assert.equal((await api(server, 'POST', '/api/events', event)).json.meta, undefined);
});

test('8.10: a URL that is removed later: it waits, and why says for what', async (t) => {
    const server = await serve(t, { args: FREE });
    const gone = await receiver(t);
    await gone.close();
    await setUrl(server, gone.url);
    const id = await post(server);
    await eventually('tried', async () => (await delivery(server, id)).attributes.attempt_count === 1);
    await setUrl(server, null);
    assert.match(await ask(server, 'why', id), /Held: there is no webhook_url\. It is sent as soon as one is set/);
    assert.equal((await delivery(server, id)).attributes.state, 'pending');
    const there = await receiver(t);
    await setUrl(server, there.url);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
});

test('8.10: what goes to a Master alone has gone to somebody', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t);
    await setUrl(server, there.url);
    const master = await api(server, 'PATCH', '/api/users/me', { data: {
        type: 'users', id: server.user_id, attributes: { receives_users_events: true } } });
    assert.equal(master.status, 200);
    const user = (await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: 'x' } } })).json.data.id;
    const theirs = structuredClone(event);
    theirs.data.relationships = { user: { data: { type: 'users', id: user } } };
    const answer = await api(server, 'POST', '/api/events', theirs);
    assert.equal(answer.status, 201);
    assert.equal(answer.json.meta, undefined);
    const list = (await api(server, 'GET', `/api/events/${answer.json.data.id}/deliveries`)).json.data;
    assert.deepEqual(list.map((one) => one.relationships.user.data.id), [server.user_id]);
});

test('8.10: trigger says that its event goes to nobody, and nothing of the kind once there is a URL', async (t) => {
    const server = await serve(t, { args: FREE });
    assert.match(await ask(server, 'trigger', 'user_enabled'),
        /^201 accepted +user_enabled \d+: It goes to nobody: user 5 has no webhook_url\. Set one, and POST \/api\/deliveries\/\d+\/resend/m);
    await setUrl(server, (await receiver(t)).url);
    assert.match(await ask(server, 'trigger', 'user_enabled'), /^201 accepted +user_enabled \d+ *$/m);
});

test('8.10: events post says that events go to nobody, and --json has it in each line', async (t) => {
    const server = await serve(t, { args: FREE });
    const lines = join(folder(t), 'lines'), one = join(folder(t), 'one');
    writeFileSync(lines, [event, event].map((each) => JSON.stringify(each)).join('\n\n'));
    writeFileSync(one, JSON.stringify(event, null, 2));
    const send = (file, ...more) => posthorn('events', 'post', file, '--server', server.url, '--key', server.api_key, ...more);
    const note = 'It goes to nobody: user 5 has no webhook_url';
    const sent = await send(lines);
    assert.equal(sent.code, 0);
    assert.equal(sent.stdout, '2 accepted, 0 refused\n');
    assert.match(sent.stderr, new RegExp(`^posthorn events: 2 of them went to nobody; the first is ${lines}:1: ${note}`, 'm'));
    assert.match((await send(one)).stderr, new RegExp(`^posthorn events: ${note}`, 'm'));
    const machine = await send(lines, '--json');
    for (const line of machine.stdout.trim().split('\n')) {
        assert.equal(JSON.parse(line).meta.deliveries, 0);
        assert.ok(JSON.parse(line).meta.note.startsWith(note));
    }
    assert.match(machine.stderr, /2 of them went to nobody/);
    assert.equal(JSON.parse((await send(one, '--json')).stdout).meta.deliveries, 0);
    await setUrl(server, (await receiver(t)).url);
    assert.doesNotMatch((await send(lines)).stderr + (await send(one)).stderr, /nobody/);
});
