// Item 8.8: ids never repeat: two copies of one folder at once, a restored backup, what the former process gave out.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
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
