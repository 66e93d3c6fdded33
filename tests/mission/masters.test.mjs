// rows: 5, 44, 47
// The owners of events: Regulars, Masters and their users, and two installs that share nothing.
import assert from 'node:assert/strict';
import test from 'node:test';
import { POSTHORN, api, eventually, makeUser, post, receiver, run, serve, setUrl } from '../e2e/harness.mjs';

const FREE = ['--rate-limit', '0'];

test('row 5: two users, two receivers, no crossing', async (t) => {
    const server = await serve(t, { args: FREE });
    const users = await Promise.all(['ana', 'eva'].map(async (name) => {
        const [user, there] = [await makeUser(server, name), await receiver(t)];
        await setUrl(server, there.url, { id: user.user_id, key: user.api_key });
        return { ...user, there, events: [] };
    }));
    for (let i = 0; i < 10; i++)
        for (const user of users)
            user.events.push(await post(server, i % 2 ? { key: `${server.api_key}; user=${user.user_id}` } : { user: user.user_id }));
    for (const { there, events, api_key } of users) {
        const ids = (await there.arrived(10)).map(({ id }) => id);
        assert.deepEqual(ids.sort(), [...events].sort());
        const { json } = await api(server, 'GET', '/api/events', undefined, { key: api_key });
        assert.deepEqual(json.data.map(({ id }) => id), events);
    }
    const [ana, eva] = users;
    for (const path of [`/api/events/${eva.events[0]}`, `/api/users/${eva.user_id}`,
                        `/api/events/${eva.events[0]}/deliveries`])
        assert.equal((await api(server, 'GET', path, undefined, { key: ana.api_key })).status, 404, path);
});

test("row 5: a Master's URL gets its users' events, too, if it says so", async (t) => {
    const server = await serve(t, { args: FREE });
    const [masters, users] = [await receiver(t), await receiver(t)];
    const user = await makeUser(server);
    await setUrl(server, masters.url);
    await setUrl(server, users.url, { id: user.user_id, key: user.api_key });
    const receives = (flag) => api(server, 'PATCH', '/api/users/me',
        { data: { type: 'users', attributes: { receives_users_events: flag } } });
    const first = await post(server, { user: user.user_id });
    await users.arrived(1);
    assert.equal((await receives(true)).json.data.attributes.receives_users_events, true);
    const second = await post(server, { key: `${server.api_key}; user=${user.user_id}` });
    const own = await post(server);
    await masters.arrived(2);
    assert.deepEqual(masters.requests.map(({ id }) => id).sort(), [second, own].sort());
    assert.deepEqual((await users.arrived(2)).map(({ id }) => id), [first, second]);
    assert.deepEqual(masters.of(second)[0].json.included, users.of(second)[0].json.included);
    assert.deepEqual(masters.of(second)[0].json.data.relationships.user.data, { type: 'users', id: user.user_id });
    // Each is told with the digest of its own key.
    assert.notEqual(masters.of(second)[0].header('WEBHOOK-AUTH'), users.of(second)[0].header('WEBHOOK-AUTH'));
    const { json } = await api(server, 'GET', `/api/events/${second}/deliveries`);
    assert.deepEqual(json.data.map(({ relationships }) => relationships.user.data.id), [user.user_id, server.user_id]);
    await receives(false);
    await post(server, { user: user.user_id });
    await users.arrived(3);
    const last = await post(server);
    await eventually('its own', () => masters.of(last).length > 0);
    assert.equal(masters.requests.length, 3);
});

test('row 44: the raw key, Bearer, and a Master as one of its users', async (t) => {
    const server = await serve(t, { args: FREE });
    const user = await makeUser(server);
    const whoAmI = async (key) => {
        const { status, json } = await api(server, 'GET', '/api/users/me', undefined, { key });
        return status === 200 ? json.data.id : status;
    };
    const { api_key: key, user_id: id } = server;
    for (const form of [key, `Bearer ${key}`, `bearer ${key}`]) {
        assert.equal(await whoAmI(form), id, form);
        assert.equal(await whoAmI(`${form}; user=${user.user_id}`), user.user_id);
        assert.equal(await whoAmI(`${form};user=${user.user_id}`), user.user_id);
    }
    for (const wrong of ['nobody', `${key.slice(1)}`, `Bearer ${key}x`, `Basic ${key}`, `${key}; user=`, `${key}; who=5`])
        assert.equal(await whoAmI(wrong), 401, wrong);
    assert.equal(await whoAmI(`${user.api_key}; user=${id}`), 403); // a Regular
    assert.equal(await whoAmI(`${key}; user=600`), 403); // nobody of this Master's
    const made = await api(server, 'POST', '/api/users',
        { data: { type: 'users', attributes: { name: 'Other', role: 'master' } } });
    assert.equal(await whoAmI(`${made.json.meta.api_key}; user=${user.user_id}`), 403); // another Master's
    const event = await post(server, { key: `${key}; user=${user.user_id}` });
    const { json } = await api(server, 'GET', '/api/events', undefined, { key: user.api_key });
    assert.deepEqual(json.data.map(({ id: own }) => own), [event]);
});

test('row 47: a key of the sandbox is 401 in production; the mode is shown everywhere', async (t) => {
    const sandbox = await serve(t, { args: FREE });
    const production = await serve(t, { args: [...FREE, '--mode', 'production'], dev: false });
    assert.equal((await api(sandbox, 'GET', '/api/users/me')).status, 200);
    assert.equal((await api(production, 'GET', '/api/users/me')).status, 200);
    assert.equal((await api(production, 'GET', '/api/users/me', undefined, { key: sandbox.api_key })).status, 401);
    assert.equal((await api(sandbox, 'GET', '/api/users/me', undefined, { key: production.api_key })).status, 401);
    const event = await post(sandbox);
    assert.equal((await api(production, 'GET', `/api/events/${event}`)).status, 404);
    for (const [mode, server, other] of [['sandbox', sandbox, production], ['production', production, sandbox]]) {
        const meta = await api(server, 'GET', '/api/meta', undefined, { key: null });
        assert.equal(meta.json.meta.mode, mode);
        assert.equal((await api(server, 'GET', '/health', undefined, { key: null })).json.meta.mode, mode);
        for (const path of ['/api/events', '/api/users/600'])
            assert.equal((await api(server, 'GET', path)).headers.get('posthorn-mode'), mode);
        assert.match(await (await fetch(`${server.url}/metrics`)).text(), new RegExp(`posthorn_info{.*mode="${mode}"}`));
        assert.match(server.stdout, new RegExp(`ready: .*\\(${mode}`));
        assert.match(server.stderr, new RegExp(` info serve: ready .*mode=${mode}\\b`));
        const cli = (key) => run(POSTHORN, ['events', 'list', '--server', server.url, '--key', key]);
        assert.match((await cli(server.api_key)).stdout, new RegExp(`^${mode}, http://`));
        const refused = await cli(other.api_key);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, new RegExp(`401.*a key of this ${mode} server\\?`));
    }
});
