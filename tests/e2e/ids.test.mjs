// Item 8.8: ids never repeat: two copies of one folder at once, a restored backup, the ids of the former process.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { api, delivery, folder, initialize, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const POSTS = 250;

/** Ids of new events, and of their deliveries. */
async function give(server) {
    const events = [], deliveries = [];
    const ids = await Promise.all(Array.from({ length: POSTS }, () => post(server)));
    for (const id of ids) {
        events.push(id);
        deliveries.push((await delivery(server, id)).id);
    }
    return { events, deliveries };
}

function assertApart(...all) {
    for (const kind of ['events', 'deliveries']) {
        const ids = all.flatMap((given) => given[kind]);
        assert.equal(new Set(ids).size, ids.length, `${kind}: none twice`);
    }
}

test('8.8: two copies of one folder give out no id twice', async (t) => {
    const there = await receiver(t);
    const install = await initialize(t);
    const copy = { ...install, data: join(folder(t), 'copy') };
    let one = await serve(t, { install });
    await setUrl(one, there.url);
    await post(one);
    await one.end();
    cpSync(install.data, copy.data, { recursive: true });
    one = await serve(t, { install });
    const two = await serve(t, { install: copy });
    assertApart(...(await Promise.all([give(one), give(two)])));
});

test('8.8: after a restore neither events nor deliveries have ids of the time that is forgotten', async (t) => {
    const there = await receiver(t);
    const install = await initialize(t);
    const place = folder(t);
    let server = await serve(t, { install });
    await setUrl(server, there.url);
    const kept = await give(server);
    assert.equal((await posthorn('backup', join(place, 'b'), '--data', install.data)).code, 0);
    const forgotten = await give(server);
    await server.end();
    assert.equal((await posthorn('restore', join(place, 'b'), '--data', install.data, '--replace')).code, 0);
    server = await serve(t, { install });
    assertApart(kept, forgotten, await give(server));
    for (const id of forgotten.deliveries.slice(0, 20))
        assert.equal((await api(server, 'GET', `/api/deliveries/${id}`)).status, 404, 'an old id finds no other');
    for (const id of kept.deliveries.slice(0, 20)) {
        const { json } = await api(server, 'GET', `/api/deliveries/${id}`);
        assert.equal(json.data.attributes.attempts.length, 1, 'its own attempts, and no others');
    }
});

/** Users, their keys and what they sign with: POST /api/users as answered. */
async function users(server, names) {
    const made = [];
    for (const name of names) {
        const { status, json } = await api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name } } });
        assert.equal(status, 201);
        const keys = await api(server, 'GET', '/api/api_keys', undefined, { key: json.meta.api_key });
        made.push({ id: json.data.id, key: json.meta.api_key, key_id: keys.json.data[0].id, secret: json.meta.signing_secret });
    }
    return made;
}

const etag = async (server) => (await api(server, 'GET', '/api/users/me')).headers.get('etag');
const rename = (server, name, match) => api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: server.user_id, attributes: { name } } },
    { headers: match ? { 'If-Match': match } : {} });

test('8.8: after a restore no user, key or version has an id of the time that is forgotten, however often', async (t) => {
    const install = await initialize(t), place = folder(t);
    let server = await serve(t, { install });
    const kept = await users(server, ['Kept']);
    assert.equal(Number(kept[0].id), Number(server.user_id) + 1, 'small numbers as long as nothing was restored');
    assert.equal((await posthorn('backup', join(place, 'b'), '--data', install.data)).code, 0);
    const all = [...kept];
    const versions = [await etag(server)];
    for (let round = 0; round < 3; round++) {
        all.push(...await users(server, ['A', 'B', 'C']));
        await rename(server, `round ${round}`);
        versions.push(await etag(server));
        await server.end();
        assert.equal((await posthorn('restore', join(place, 'b'), '--data', install.data, '--replace')).code, 0);
        server = await serve(t, { install });
        assert.equal((await rename(server, 'late', versions.at(-1))).status, 412, 'a version that is forgotten');
    }
    const last = await users(server, ['D']);
    all.push(...last);
    for (const kind of ['id', 'key_id', 'secret'])
        assert.equal(new Set(all.map((user) => user[kind])).size, all.length, `${kind}: none twice`);
    assert.equal(new Set(versions).size, versions.length);
    const { json } = await api(server, 'GET', '/api/users/me', undefined, { key: `${server.api_key}; user=${last[0].id}` });
    assert.equal(json.data.id, last[0].id, 'a large number does as well');
    assert.equal((await api(server, 'GET', '/api/users/me', undefined, { key: kept[0].key })).json.data.id, kept[0].id);
});

test('8.8: a copy of the folder put back: who has a lost user\'s id does not sign with its secret', async (t) => {
    const there = await receiver(t);
    const install = await initialize(t), copy = join(folder(t), 'copy');
    cpSync(install.data, copy, { recursive: true });
    let server = await serve(t, { install });
    const [lost] = await users(server, ['Lost']);
    await server.end();
    server = await serve(t, { install: { ...install, data: copy } });
    const [next] = await users(server, ['Next']);
    assert.equal(next.id, lost.id);
    assert.notEqual(next.secret, lost.secret);
    await setUrl(server, there.url, { id: next.id, key: next.key });
    await post(server, { user: next.id });
    const [request] = await there.arrived(1), body = request.body.toString();
    const headers = Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, request.header(name)]));
    new Webhook(next.secret).verify(body, headers);
    assert.throws(() => new Webhook(lost.secret).verify(body, headers));
    assert.equal((await api(server, 'POST', '/api/signing_secrets/default/reveal', undefined, { key: next.key })).json.data.attributes.secret, next.secret);
});
