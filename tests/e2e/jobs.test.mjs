// Recover, replay and backfill: deliveries of an endpoint become due again, some at a time, as a job.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, eventually, makeUser, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const SINCE = '2000-01-01T00:00:00.000Z';
const ask = (server, id, kind, attributes = {}, options) =>
    api(server, 'POST', `/api/endpoints/${id}/${kind}`, { data: { type: 'jobs', attributes: { since: SINCE, ...attributes } } }, options);
const patch = (server, id, attributes) => api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id: String(id), attributes } });
const job = async (server, id) => (await api(server, 'GET', `/api/jobs/${id}`)).json.data;
const done = (server, id) => eventually('the job is done', async () => {
    const one = await job(server, id);
    return one.attributes.state === 'done' && one;
});
const deliveriesOf = async (server, id) => (await api(server, 'GET', `/api/events/${id}/deliveries`)).json.data;

/** Events whose deliveries to the default endpoint were all cancelled. */
async function cancelled(server, count) {
    await patch(server, server.user_id, { status: 'paused' });
    const ids = [];
    for (let i = 0; i < count; i++) {
        const id = await post(server);
        const [delivery] = await deliveriesOf(server, id);
        assert.equal((await api(server, 'POST', `/api/deliveries/${delivery.id}/cancel`)).status, 200);
        ids.push(id);
    }
    await patch(server, server.user_id, { status: 'active' });
    return ids;
}
const idsOf = (hook) => hook.requests.map(({ body }) => JSON.parse(body).data.id);

test('recover: what was given up or cancelled since a time becomes due again, and comes with the same ids', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const delivered = await post(server);
    await eventually('one comes', () => hook.requests.length === 1);
    const ids = await cancelled(server, 5);
    const before = (await deliveriesOf(server, ids[0]))[0].id;
    const made = await ask(server, server.user_id, 'recover');
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get('location'), `/api/jobs/${made.json.data.id}`);
    assert.equal(made.json.data.attributes.total, 5);
    const ended = await done(server, made.json.data.id);
    assert.deepEqual([ended.attributes.kind, ended.attributes.made_due], ['recover', 5]);
    await eventually('all come', () => hook.requests.length === 6);
    assert.deepEqual(idsOf(hook).sort(), [delivered, ...ids].sort());
    assert.equal((await deliveriesOf(server, ids[0]))[0].id, before);
    const listed = await api(server, 'GET', '/api/jobs');
    assert.deepEqual(listed.json.data.map(({ id }) => id), [made.json.data.id]);
});

test('recover: dry_run counts and makes nothing', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    await cancelled(server, 3);
    const counted = await ask(server, server.user_id, 'recover', { dry_run: true });
    assert.equal(counted.status, 200, counted.text);
    assert.deepEqual(counted.json.meta, { count: 3, complete: true });
    const later = await ask(server, server.user_id, 'recover', { dry_run: true, since: new Date(Date.now() + 60_000).toISOString() });
    assert.equal(later.json.meta.count, 0);
    assert.equal((await api(server, 'GET', '/api/jobs')).json.data.length, 0);
    assert.equal(hook.requests.length, 0);
});

test('jobs: one of a kind runs for an endpoint; it waits for a paused one, survives a restart, and is cancelled by DELETE', async (t) => {
    let server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    await cancelled(server, 70);
    await patch(server, server.user_id, { status: 'paused' });
    const made = await ask(server, server.user_id, 'recover');
    const id = made.json.data.id;
    await eventually('64 are due', async () => (await job(server, id)).attributes.made_due === 64);
    const again = await ask(server, server.user_id, 'recover');
    assert.deepEqual([again.status, again.json.errors[0].code], [409, 'job_runs']);
    await server.end('SIGKILL');
    server = await serve(t, { install: server });
    assert.equal((await job(server, id)).attributes.state, 'running');
    assert.equal((await api(server, 'DELETE', `/api/jobs/${id}`)).status, 204);
    assert.equal((await job(server, id)).attributes.state, 'cancelled');
    assert.equal((await api(server, 'DELETE', `/api/jobs/${id}`)).json.errors[0].code, 'job_ended');
    const rest = await ask(server, server.user_id, 'recover');
    assert.equal(rest.json.data.attributes.total, 6, 'what the first made due stays due');
    await patch(server, server.user_id, { status: 'active' });
    await done(server, rest.json.data.id);
    await eventually('all come', () => hook.requests.length === 70);
    assert.equal(new Set(idsOf(hook)).size, 70);
});

test('jobs: an Idempotency-Key makes one', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const headers = { 'Idempotency-Key': 'one' };
    const first = await ask(server, server.user_id, 'recover', {}, { headers });
    const again = await ask(server, server.user_id, 'recover', {}, { headers });
    assert.deepEqual([first.status, again.status], [201, 201], first.text + again.text);
    assert.equal(again.json.data.id, first.json.data.id);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.equal((await ask(server, server.user_id, 'recover', { event_type: 'other' }, { headers })).json.errors[0].code, 'idempotency_conflict');
});

test("jobs: a user's own and a Master's users'; not somebody else's, and none without a URL", async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const user = await makeUser(server);
    const none = await ask(server, user.user_id, 'recover');
    assert.deepEqual([none.status, none.json.errors[0].code], [409, 'endpoint_no_url']);
    assert.equal((await ask(server, server.user_id, 'recover', {}, { key: user.api_key })).status, 404);
    const made = await ask(server, server.user_id, 'recover');
    assert.equal((await api(server, 'GET', `/api/jobs/${made.json.data.id}`, undefined, { key: user.api_key })).status, 404);
    assert.equal((await api(server, 'DELETE', `/api/jobs/${made.json.data.id}`, undefined, { key: user.api_key })).status, 404);
    assert.equal((await api(server, 'GET', '/api/jobs', undefined, { key: user.api_key })).json.data.length, 0);
});

test('jobs: bad input', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const bad = async (kind, attributes, code, pointer) => {
        const { status, json, text } = await ask(server, server.user_id, kind, attributes);
        assert.equal(status, 422, text);
        assert.deepEqual([json.errors[0].code, json.errors[0].source.pointer], [code, pointer]);
    };
    await bad('recover', { since: undefined }, 'attribute_missing', '/data/attributes');
    await bad('recover', { since: 'yesterday' }, 'attribute_invalid', '/data/attributes/since');
    await bad('recover', { until: '1999-01-01T00:00:00Z' }, 'attribute_invalid', '/data/attributes/until');
    await bad('recover', { delivery_state: 'given_up' }, 'attribute_unknown', '/data/attributes/delivery_state');
    await bad('backfill', { delivery_state: 'given_up' }, 'attribute_unknown', '/data/attributes/delivery_state');
    await bad('replay', { delivery_state: 'pending' }, 'attribute_invalid', '/data/attributes/delivery_state');
    await bad('replay', { event_type: 'a b' }, 'attribute_invalid', '/data/attributes/event_type');
    for (const resource_id of ['', 'a\nb', 7, 'x'.repeat(300)]) await bad('recover', { resource_id }, 'attribute_invalid', '/data/attributes/resource_id');
    await bad('replay', { dry_run: 'yes' }, 'attribute_invalid', '/data/attributes/dry_run');
    assert.equal((await api(server, 'GET', '/api/jobs/7')).status, 404);
});

test('replay: delivered ones by filter, with the bytes that were sent first', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const wanted = await post(server, { type: 'user_enabled', resource: { type: 'users', id: '7' } });
    await post(server, { type: 'user_disabled', resource: { type: 'users', id: '7' } });
    const since = new Date().toISOString();
    await post(server, { type: 'user_enabled', resource: { type: 'users', id: '8' } });
    await eventually('three come', () => hook.requests.length === 3);
    await eventually('all are delivered', async () => (await api(server, 'GET', '/api/events?filter[undelivered]=true')).json.data.length === 0);
    const count = async (attributes) => (await ask(server, server.user_id, 'replay', { dry_run: true, ...attributes })).json.meta.count;
    assert.deepEqual([await count({}), await count({ event_type: 'user_enabled' }), await count({ since }), await count({ until: since }),
        await count({ resource_type: 'payments' }), await count({ delivery_state: 'given_up' })], [3, 2, 1, 2, 0, 0]);
    const made = await ask(server, server.user_id, 'replay', { event_type: 'user_enabled', resource_id: '7' });
    assert.equal(made.json.data.attributes.delivery_state, 'delivered');
    await done(server, made.json.data.id);
    await eventually('it comes again', () => hook.requests.length === 4);
    const first = hook.requests.find(({ body }) => JSON.parse(body).data.id === wanted);
    assert.equal(hook.requests[3].body.toString(), first.body.toString());
    const [one] = await deliveriesOf(server, wanted);
    assert.equal(one.attributes.state, 'delivered');
});

test('backfill: events from before the endpoint existed, that it wants today, once', async (t) => {
    const server = await serve(t);
    const [hook, late] = [await receiver(t), await receiver(t)];
    await setUrl(server, hook.url);
    const wanted = [await post(server), await post(server)];
    await post(server, { type: 'user_disabled' });
    await api(server, 'POST', `/api/endpoints/${server.user_id}/ping`);
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: {
        url: late.url, event_types: ['user_enabled', 'ping'] } } });
    const id = made.json.data.id;
    const after = await post(server);
    await eventually('the new one comes', () => late.requests.length === 1);
    for (const count of [2, 0]) {
        const asked = await ask(server, id, 'backfill');
        assert.equal(asked.json.data.attributes.total, count, asked.text);
        assert.equal((await done(server, asked.json.data.id)).attributes.made_due, count);
    }
    await eventually('all come', () => late.requests.length === 3);
    assert.deepEqual(idsOf(late), [after, ...wanted]);
    assert.equal(late.requests[1].body.toString(), hook.requests.find(({ body }) => JSON.parse(body).data.id === wanted[0]).body.toString());
    assert.equal((await deliveriesOf(server, wanted[0])).length, 2);
    assert.equal(hook.requests.length, 5, 'nobody else gets it');
});

test("backfill: a Regular's only its own events, a Master's those of its users too", async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    const [user, other] = [await makeUser(server), await makeUser(server, 'Other')];
    await setUrl(server, hook.url);
    await api(server, 'PATCH', '/api/users/me', { data: { type: 'users', attributes: { receives_users_events: true } } });
    await post(server, { user: user.user_id });
    await post(server, { user: other.user_id });
    await post(server);
    const count = async (key) => {
        const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: hook.url } } }, { key });
        return (await ask(server, made.json.data.id, 'backfill', { dry_run: true }, { key })).json.meta.count;
    };
    assert.equal(await count(user.api_key), 1);
    assert.equal(await count(server.api_key), 3);
});

test('jobs: an endpoint that is removed ends its jobs', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    for (let i = 0; i < 65; i++) await post(server);
    const made = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: hook.url, status: 'paused' } } });
    const asked = await ask(server, made.json.data.id, 'backfill');
    await eventually('64 are due', async () => (await job(server, asked.json.data.id)).attributes.made_due === 64);
    assert.equal((await api(server, 'DELETE', `/api/endpoints/${made.json.data.id}`)).status, 204);
    assert.equal((await job(server, asked.json.data.id)).attributes.state, 'cancelled');
});

test('posthorn endpoints recover, replay, backfill; posthorn jobs', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    await cancelled(server, 3);
    const run = (...args) => posthorn(...args, '--server', server.url, '--key', server.api_key);
    const counted = await run('endpoints', 'recover', server.user_id, '--since', '12h', '--dry-run');
    assert.equal(counted.stdout, '3 deliveries\n', counted.stderr);
    const waited = await run('endpoints', 'recover', server.user_id, '--since', '12h', '--wait');
    assert.match(waited.stdout, /^job \d+: done, 3 deliveries were made due\n$/, waited.stderr);
    await eventually('they come', () => hook.requests.length === 3);
    const json = JSON.parse((await run('endpoints', 'replay', server.user_id, '--since', SINCE, '--state', 'given_up', '--json')).stdout);
    assert.deepEqual([json.data.attributes.kind, json.data.attributes.delivery_state, json.data.attributes.total], ['replay', 'given_up', 0]);
    assert.equal((await run('endpoints', 'backfill', server.user_id, '--since', SINCE, '--dry-run')).stdout, '0 deliveries\n');
    const listed = JSON.parse((await run('jobs', 'list', '--json')).stdout).data;
    assert.deepEqual(listed.map(({ id }) => id), [json.data.id, waited.stdout.match(/\d+/)[0]]);
    await done(server, json.data.id);
    assert.match((await run('jobs', 'show', json.data.id)).stdout, /replay +done +0 +0/);
    const late = await run('jobs', 'cancel', json.data.id);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /has ended/);
    const usage = await run('endpoints', 'recover', server.user_id);
    assert.equal(usage.code, 2);
    assert.match(usage.stderr, /give --since/);
});
