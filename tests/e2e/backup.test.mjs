// Item 8.7: the database and the key file belong together; backup and restore, with a server running, killed, under load.
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import test from 'node:test';
import { answer, api, delivery, eventually, folder, initialize, post, posthorn, POSTHORN, receiver, run, serve, setUrl, sleep }
    from './harness.mjs';

const mode = (path) => statSync(path).mode & 0o777;
const start = (data, ...args) => posthorn('serve', '--data', data, '--listen', '127.0.0.1:0', ...args);

test('8.7: a database without its key file is refused, and no key is made', async (t) => {
    const { data } = await initialize(t);
    rmSync(join(data, 'posthorn.key'));
    const { code, stderr } = await start(data);
    assert.equal(code, 6, stderr);
    assert.match(stderr, /posthorn\.key is missing.*posthorn secrets reset/);
    assert.ok(!existsSync(join(data, 'posthorn.key')));
});

test('8.7: the key file of another install is refused', async (t) => {
    const one = await initialize(t);
    const two = await initialize(t);
    cpSync(join(two.data, 'posthorn.key'), join(one.data, 'posthorn.key'));
    const { code, stderr } = await start(one.data);
    assert.equal(code, 6, stderr);
    assert.match(stderr, /does not belong to this database/);
});

for (const [what, text] of [['empty', ''], ['cut short', 'abc'], ['longer', 'ab'.repeat(33)], ['no key', 'x'.repeat(64)]])
    test(`8.7: a key file that is ${what} is refused, and stays as it is; secrets reset goes on`, async (t) => {
        const { data } = await initialize(t);
        const key = join(data, 'posthorn.key');
        writeFileSync(key, text);
        const { code, stderr } = await start(data);
        assert.equal(code, 6, stderr);
        assert.match(stderr, /64 hex digits.*backup.*posthorn secrets reset/);
        assert.equal(readFileSync(key, 'utf8'), text);
        const backup = await posthorn('backup', join(data, 'backup'), '--data', data);
        assert.equal(backup.code, 6, backup.stderr);
        assert.ok(!existsSync(join(data, 'backup')));
        const reset = await posthorn('secrets', 'reset', '--data', data, '--json');
        assert.equal(reset.code, 0, reset.stderr);
        assert.equal(JSON.parse(reset.stdout).key_file, 'made');
        assert.equal(readFileSync(`${key}.unusable`, 'utf8'), text);
        await serve(t, { install: { data } });
    });

const emptied = (db) => { rmSync(db); execFileSync('sqlite3', [db, 'VACUUM']); };
for (const [what, damage] of [['missing', (db) => rmSync(db)], ['empty', (db) => writeFileSync(db, '')], ['without tables', emptied]])
    test(`8.7: a database that is ${what} beside its key is refused, and nobody is made`, async (t) => {
        const { data } = await initialize(t);
        damage(join(data, 'posthorn.db'));
        for (const command of ['serve', 'init']) {
            const { code, stdout, stderr } = await posthorn(command, '--data', data);
            assert.equal(code, 6, stderr);
            assert.match(stderr, /posthorn restore/);
            assert.equal(stdout, '');
        }
    });

test('8.7: another program\'s database is refused, and gets no tables of ours', async (t) => {
    const data = folder(t), db = join(data, 'posthorn.db');
    execFileSync('sqlite3', [db, 'CREATE TABLE theirs (a)']);
    const { code, stderr } = await start(data);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /another program's SQLite database/);
    assert.equal(execFileSync('sqlite3', [db, '.tables'], { encoding: 'utf8' }).trim(), 'theirs');
});

test('8.7: a log without its database is refused, and kept', async (t) => {
    const server = await serve(t);
    await post(server);
    await server.end('SIGKILL');
    rmSync(join(server.data, 'posthorn.db'));
    rmSync(join(server.data, 'posthorn.key'));
    const size = statSync(join(server.data, 'posthorn.db-wal')).size;
    assert.ok(size > 0);
    const { code, stderr } = await start(server.data);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /its log \(-wal\) exists/);
    assert.equal(statSync(join(server.data, 'posthorn.db-wal')).size, size);
});

test('8.7: what others can read is tightened, with a warning', async (t) => {
    const install = await initialize(t);
    for (const name of ['posthorn.db', 'posthorn.key']) chmodSync(join(install.data, name), 0o644);
    const server = await serve(t, { install });
    assert.equal(mode(join(install.data, 'posthorn.db')), 0o600);
    assert.equal(mode(join(install.data, 'posthorn.db-wal')), 0o600);
    assert.equal(mode(join(install.data, 'posthorn.key')), 0o600);
    assert.match(server.stderr, /others could read the database until now/);
    assert.match(server.stderr, /others could read the key file/);
});

test('8.7: a key of the operator begins a new database with init only', async (t) => {
    const place = folder(t);
    const key = join(place, 'own.key');
    writeFileSync(key, 'ab'.repeat(32) + '\n', { mode: 0o600 });
    const refused = await start(join(place, 'data'), '--key-file', key);
    assert.equal(refused.code, 6, refused.stderr);
    const made = await posthorn('init', '--data', join(place, 'data'), '--key-file', key, '--json');
    assert.equal(made.code, 0, made.stderr);
    assert.ok(!existsSync(join(place, 'data', 'posthorn.key')));
});

test('8.7: secrets reset goes on with a new key, by choice', async (t) => {
    const install = await initialize(t);
    let server = await serve(t, { install });
    const running = await posthorn('secrets', 'reset', '--data', install.data);
    assert.equal(running.code, 3, running.stderr);
    assert.equal((await api(server, 'POST', '/api/signing_secrets',
        { data: { type: 'signing_secrets', attributes: {} } })).status, 201);
    await server.end();
    rmSync(join(install.data, 'posthorn.key'));
    const { code, stdout, stderr } = await posthorn('secrets', 'reset', '--data', install.data, '--json');
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { key_file: 'made', users: 1, secrets_dropped: 1, identities_dropped: 0, headers_dropped: 0, auth_dropped: 0 });
    const there = await receiver(t);
    server = await serve(t, { install });
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(1);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    assert.ok(there.requests[0].header('webhook-signature'), 'signed with the new key');
});

test('8.7: backup while running under load, restore elsewhere: everything acknowledged before is there', async (t) => {
    const there = await receiver(t);
    const server = await serve(t);
    const place = folder(t);
    await setUrl(server, there.url);
    const before = [];
    for (let i = 0; i < 50; i++) before.push(await post(server));
    let stop = false, during = 0;
    const load = Array.from({ length: 8 }, async () => { while (!stop) { await post(server); during++; } });
    const made = await posthorn('backup', join(place, 'b'), '--data', server.data, '--json');
    stop = true;
    await Promise.all(load);
    assert.equal(made.code, 0, made.stderr);
    assert.ok(JSON.parse(made.stdout).events >= 50);
    assert.deepEqual(readdirSync(join(place, 'b')).sort(), ['posthorn.db', 'posthorn.key']);
    assert.equal(mode(join(place, 'b')), 0o700);
    for (const name of ['posthorn.db', 'posthorn.key']) assert.equal(mode(join(place, 'b', name)), 0o600);
    const again = await posthorn('backup', join(place, 'b'), '--data', server.data);
    assert.equal(again.code, 1, 'never over another backup');

    const busy = await posthorn('restore', join(place, 'b'), '--data', server.data, '--replace');
    assert.equal(busy.code, 3, busy.stderr);
    const data = join(place, 'elsewhere');
    const restored = await posthorn('restore', join(place, 'b'), '--data', data);
    assert.equal(restored.code, 0, restored.stderr);
    await server.end();
    const second = await serve(t, { install: { ...server, data } });
    for (const id of before) assert.equal((await api(second, 'GET', `/api/events/${id}`)).status, 200);
    const after = await post(second);
    await eventually('signed and delivered', async () => (await delivery(second, after)).attributes.state === 'delivered');
});

test('8.7: a backup of a server that was killed, with all that stands in its log', async (t) => {
    const server = await serve(t);
    const place = folder(t);
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push(await post(server));
    await server.end('SIGKILL');
    const made = await posthorn('backup', join(place, 'b'), '--data', server.data);
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await posthorn('restore', join(place, 'b'), '--data', join(place, 'd'))).code, 0);
    const second = await serve(t, { install: { ...server, data: join(place, 'd') } });
    for (const id of ids) assert.equal((await api(second, 'GET', `/api/events/${id}`)).status, 200);
});

test('8.7: a backup that is cut short or damaged is none', async (t) => {
    const { data } = await initialize(t);
    const place = folder(t);
    assert.equal((await posthorn('backup', join(place, 'b'), '--data', data)).code, 0);
    const db = join(place, 'b', 'posthorn.db');
    writeFileSync(db, Buffer.alloc(8192, 'x'), { flag: 'r+' });
    const broken = await posthorn('restore', join(place, 'b'), '--data', join(place, 'd'));
    assert.equal(broken.code, 1);
    assert.ok(!existsSync(join(place, 'd')), 'nothing was begun');
    rmSync(join(place, 'b', 'posthorn.key'));
    cpSync(join(data, 'posthorn.db'), db);
    assert.equal((await posthorn('restore', join(place, 'b'), '--data', join(place, 'd'))).code, 6, 'no key');
    rmSync(join(data, 'posthorn.key'));
    const keyless = await posthorn('backup', join(place, 'c'), '--data', data);
    assert.equal(keyless.code, 6);
    assert.ok(!existsSync(join(place, 'c')) && !existsSync(join(place, 'c.partial')));
});

test('8.7: a restore killed at any moment leaves a folder that starts whole or not at all', async (t) => {
    const install = await initialize(t);
    const place = folder(t);
    let server = await serve(t, { install });
    const kept = await post(server);
    assert.equal((await posthorn('backup', join(place, 'b'), '--data', install.data)).code, 0);
    await post(server);
    await server.end();
    const args = ['restore', join(place, 'b'), '--data', install.data, '--replace'];
    for (let round = 0; round < 12; round++) {
        const child = spawn(POSTHORN, args, { stdio: 'ignore' });
        const ended = new Promise((resolve) => child.on('close', resolve));
        await sleep(round * 3);
        child.kill('SIGKILL');
        await ended;
        if (!existsSync(join(install.data, 'restore-under-way'))) continue;
        const { code, stderr } = await start(install.data);
        assert.equal(code, 6, stderr);
        assert.match(stderr, /interrupted/);
    }
    const { code, stderr } = await run(POSTHORN, args);
    assert.equal(code, 0, stderr);
    server = await serve(t, { install });
    assert.equal((await api(server, 'GET', `/api/events/${kept}`)).status, 200);
});

test('8.7: an interrupted restore is finished by the next one', async (t) => {
    const install = await initialize(t);
    const place = folder(t);
    assert.equal((await posthorn('backup', join(place, 'b'), '--data', install.data)).code, 0);
    writeFileSync(join(install.data, 'restore-under-way'), '');
    renameSync(join(install.data, 'posthorn.db'), join(place, 'aside.db'));
    rmSync(join(install.data, 'posthorn.key'));
    assert.equal((await start(install.data)).code, 6);
    assert.equal((await posthorn('init', '--data', install.data)).code, 6);
    assert.equal((await posthorn('restore', join(place, 'b'), '--data', install.data)).code, 0);
    await serve(t, { install });
});

test('8.7: a backup gives way to the server: it runs at nice 10', async (t) => {
    const server = await serve(t);
    const place = folder(t);
    // Its last word finds no room, so that it stands there and can be looked at.
    const full = 'mkfifo "$1"; exec 3<>"$1"; head -c 65536 /dev/zero >&3; exec "$0" backup "$2" --data "$3" >&3';
    const child = spawn('sh', ['-c', full, POSTHORN, join(place, 'full'), join(place, 'b'), server.data], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    await eventually('it is copied', () => existsSync(join(place, 'b', 'posthorn.db')));
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    assert.match(stat, /\(posthorn\)/);
    assert.equal(Number(stat.split(') ')[1].split(' ')[16]), Math.max(10, getPriority()));
});
