// The setting `store`: the form of it chooses where the state is kept, for the server and for every command that opens it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { api, folder, post, posthorn, serve } from './harness.mjs';

const COMMANDS = [['init'], ['serve'], ['backup', 'DIR'], ['restore', 'DIR'], ['check'], ['compact'], ['keys', 'new'], ['secrets', 'reset']];

test('10: what this build cannot open is refused by every command, before anything is made, and no password is shown', async (t) => {
    const place = folder(t), data = join(place, 'data');
    for (const [store, pattern] of [
        ['postgres://user:hunter2@db/posthorn', /store = postgres:\.\.\.: this build has no PostgreSQL yet; name an SQLite file/],
        ['PostgreSQL://hunter2', /this build has no PostgreSQL yet/],
        ['mysql://user:hunter2@db/posthorn', /store = mysql:\.\.\. is not understood; write PATH or sqlite:PATH/],
        ['file:hunter2', /is not understood/],
        [':memory:', /is not understood/], ['sqlite::memory:', /must name a file/],
        ['sqlite:', /must name a file/], [`${place}/`, /must name a file/], [`/${'x'.repeat(4096)}`, /must name a file/],
    ])
        for (const command of COMMANDS) {
            const { code, stdout, stderr } = await posthorn(...command.map((word) => (word === 'DIR' ? join(place, 'b') : word)),
                '--data', data, '--store', store);
            assert.equal(code, 2, `${command} ${store}: ${stderr}`);
            assert.match(stderr, pattern);
            assert.ok(!(stdout + stderr).includes('hunter2'), stderr);
        }
    assert.deepEqual(readdirSync(place), []);
});

test('10: a database elsewhere: served, locked, backed up, checked, compacted, restored on another file system', async (t) => {
    const elsewhere = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/posthorn-e2e-') : folder(t);
    t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
    const place = folder(t), data = join(place, 'data'), backup = join(place, 'b');
    const store = join(elsewhere, 'its own.db'), args = ['--data', data, '--store', `sqlite:${store}`];
    const made = await posthorn('init', ...args, '--json');
    assert.equal(made.code, 0, made.stderr);
    const install = { data, ...JSON.parse(made.stdout) };
    assert.deepEqual(readdirSync(data), ['posthorn.key']);
    assert.equal(statSync(store).mode & 0o777, 0o600);

    const server = await serve(t, { install, env: { POSTHORN_STORE: store } });
    const kept = await post(server);
    assert.equal((await posthorn('backup', backup, ...args)).code, 0);
    const lost = await post(server);
    for (const words of [['serve', ...args], ['serve', '--data', join(place, 'other'), '--store', store], ['compact', ...args],
        ['keys', 'new', ...args], ['restore', backup, '--replace', ...args]]) {
        const second = await posthorn(...words);
        assert.equal(second.code, 3, `${words}: ${second.stderr}`);
        assert.ok(second.stderr.includes(elsewhere), second.stderr);
    }
    await server.end();

    assert.equal((await posthorn('check', ...args)).code, 0);
    assert.equal((await posthorn('compact', ...args)).code, 0);
    assert.equal((await posthorn('keys', 'new', ...args)).code, 0);
    assert.match((await posthorn('serve', '--data', data)).stderr, /data\/posthorn\.db is missing or empty/);
    const refused = await posthorn('restore', backup, ...args);
    assert.match(refused.stderr, /its own\.db has data: --replace/);
    const restored = await posthorn('restore', backup, ...args, '--replace');
    assert.equal(restored.code, 0, restored.stderr);
    assert.ok(!existsSync(join(data, 'posthorn.db')));
    const former = readdirSync(elsewhere).find((name) => name.startsWith('before-restore'));
    assert.deepEqual(readdirSync(join(elsewhere, former)).filter((name) => !name.match(/-(wal|shm)$/)).sort(), ['posthorn.db', 'posthorn.key']);

    const again = await serve(t, { install, args: ['--store', store] });
    assert.equal((await api(again, 'GET', `/api/events/${kept}`)).status, 200);
    assert.equal((await api(again, 'GET', `/api/events/${lost}`)).status, 404);
    await again.end();
    const aside = await serve(t, { install: { ...install, data: join(elsewhere, former) } }); // a data folder like any other
    assert.equal((await api(aside, 'GET', `/api/events/${lost}`)).status, 200);
});

test('10: a database whose folder is not there, or that is a folder', async (t) => {
    const place = folder(t), data = join(place, 'data');
    const missing = await posthorn('init', '--data', data, '--store', join(place, 'none/posthorn.db'));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /none\/posthorn\.db: the folder of the database cannot be opened: No such file/);
    assert.equal((await posthorn('init', '--data', data, '--store', place)).code, 1);
});
