// Item 8.13: the only key is never lost; and items of 8.28 about the waits of a start and about a second server.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, openSync, closeSync, readFileSync, renameSync, rmSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { api, eventBody, eventually, folder, initialize, launch, post, posthorn, POSTHORN, run, serve } from './harness.mjs';

/** Runs with stdout redirected by a shell: '>/dev/full', '>&-'. */
const redirected = (to, ...args) =>
    run('/bin/sh', ['-c', `exec "$0" "$@" ${to}`, POSTHORN, ...args], { limitMs: 10_000 });

for (const [what, to] of [['full', '>/dev/full'], ['closed', '>&-'], ['a pipe that nobody reads', '| true']])
    for (const command of ['init', 'serve'])
        test(`8.13: ${command} with standard output that is ${what}: nothing is set up, and the next one shows the key`, async (t) => {
            const data = join(folder(t), 'data');
            if (to === '| true') {
                const child = spawn(POSTHORN, [command, '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
                let told = '';
                child.stderr.on('data', (text) => (told += text));
                child.stdout.destroy();
                const code = await new Promise((resolve) => child.on('close', resolve));
                assert.equal(code, 1, told);
            } else {
                const { code, stderr } = await redirected(to, command, '--data', data, '--listen', '127.0.0.1:0');
                assert.equal(code, 1, stderr);
                assert.match(stderr, /nothing was set up/);
            }
            const { code, stdout, stderr } = await posthorn('init', '--data', data, '--json');
            assert.equal(code, 0, stderr);
            const server = await serve(t, { install: { data, ...JSON.parse(stdout) } });
            assert.equal((await api(server, 'GET', '/api/users/me')).status, 200);
        });

test('8.13: closed standard streams are not the numbers of the database', async (t) => {
    const { data } = await initialize(t);
    const before = readFileSync(join(data, 'posthorn.db')).subarray(0, 16).toString();
    const child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" 0<&- 1>&- 2>&-', POSTHORN, 'serve', '--data', data, '--listen', '127.0.0.1:0'],
        { stdio: 'ignore' });
    await new Promise((resolve) => setTimeout(resolve, 700));
    child.kill('SIGTERM');
    await new Promise((resolve) => child.on('close', resolve));
    assert.equal(readFileSync(join(data, 'posthorn.db')).subarray(0, 16).toString(), before);
    await serve(t, { install: { data } });
});

test('8.13: a command whose output cannot be written says so, a secret that is shown once above all', async (t) => {
    const server = await serve(t);
    await post(server);
    const access = ['--server', server.url, '--key', server.api_key];
    for (const to of ['>/dev/full', '>&-'])
        for (const args of [['secrets', 'create', ...access], ['secrets', 'rotate', '--json', ...access],
            ['events', 'list', ...access], ['catalog'], ['version'], ['--help'], ['why', '--help']]) {
            const { code, stderr } = await redirected(to, ...args);
            assert.equal(code, 1, args.join(' '));
            assert.match(stderr, /standard output cannot be written/, args.join(' '));
        }
    const tail = redirected('>/dev/full', 'tail', ...access);
    const posts = setInterval(() => api(server, 'POST', '/api/events', eventBody()), 500); // one that comes before it looks is not shown
    const { code, stderr } = await tail;
    clearInterval(posts);
    assert.equal(code, 1, stderr);
});

test('8.13: keys new: a way back when the last key is lost', async (t) => {
    const install = await initialize(t);
    let server = await serve(t, { install });
    assert.equal((await posthorn('keys', 'new', '--data', install.data)).code, 3, 'a running server would not know it');
    await server.end();
    const { code, stdout, stderr } = await posthorn('keys', 'new', '--data', install.data, '--json');
    assert.equal(code, 0, stderr);
    const { user_id, api_key } = JSON.parse(stdout);
    assert.equal(user_id, install.user_id);
    server = await serve(t, { install });
    const keys = await api(server, 'GET', '/api/api_keys', undefined, { key: api_key });
    assert.equal(keys.status, 200);
    assert.equal(keys.json.data[1].attributes.rate_per_s, 'unlimited');
    await server.end();
    const lost = await redirected('>/dev/full', 'keys', 'new', '--data', install.data);
    assert.equal(lost.code, 1);
    server = await serve(t, { install });
    assert.equal((await api(server, 'GET', '/api/api_keys')).json.data.length, 2, 'one that was not shown was not made');
    for (const wrong of [['--user', '99'], ['--user', 'x'], ['--rate', '0'], ['--colour', 'red']])
        assert.notEqual((await posthorn('keys', 'new', '--data', install.data, ...wrong)).code, 0);
});

test('8.28: a key file or database that is a pipe does not hold the start up', async (t) => {
    const { data } = await initialize(t);
    const place = folder(t);
    execFileSync('mkfifo', [join(place, 'fifo')]);
    const begun = await posthorn('serve', '--data', data, '--listen', '127.0.0.1:0', '--key-file', join(place, 'fifo'));
    assert.equal(begun.code, 1, begun.stderr);
    assert.match(begun.stderr, /not a regular file/);
    rmSync(join(data, 'posthorn.key'));
    renameSync(join(data, 'posthorn.db'), join(place, 'real.db'));
    execFileSync('mkfifo', [join(data, 'posthorn.db')]);
    const other = await posthorn('serve', '--data', data, '--listen', '127.0.0.1:0');
    assert.equal(other.code, 1, other.stderr);
    assert.match(other.stderr, /not a regular file/);
    for (const args of [['check', data], ['backup', join(place, 'backup'), '--data', data], ['restore', data, '--data', join(place, 'new')]]) {
        const { code, stderr } = await posthorn(...args);
        assert.equal(code, 1, args[0]);
        assert.match(stderr, /not a regular file/, args[0]);
    }
});

test('8.28: a pipe as settings, catalogue or log does not hold the start up; one that is written to is read', async (t) => {
    const { data } = await initialize(t);
    const pipe = (path) => (execFileSync('mkfifo', [path]), path);
    const start = (...args) => posthorn('serve', '--data', data, '--listen', '127.0.0.1:0', ...args);
    const settings = pipe(join(folder(t), 'conf'));
    const silent = await start('--config', settings);
    assert.equal(silent.code, 2, silent.stderr);
    assert.match(silent.stderr, /nobody writes to it/);
    for (const [name, words] of [['catalogue.json', /not a regular file/], ['posthorn.db-wal', /log .*not a regular file/],
        ['posthorn.db-shm', /not a regular file/]]) {
        const path = pipe(join(data, name));
        const { code, stderr } = await start();
        assert.notEqual(code, 0, name);
        assert.match(stderr, words, name);
        assert.doesNotMatch(stderr, /disk failed/, name);
        rmSync(path);
    }
    const written = run('/bin/sh', ['-c', 'echo "mode = nonsense" > "$0"', settings]);
    assert.match((await start('--config', settings)).stderr, /mode.*nonsense/);
    await written;
});

test('8.28: no second server, whatever is deleted in the folder', async (t) => {
    const server = await serve(t);
    await post(server);
    for (const name of readdirSync(server.data))
        if (name.endsWith('.lock') || name.endsWith('-shm')) rmSync(join(server.data, name));
    let second = launch(t, ['serve', '--data', server.data, '--listen', '127.0.0.1:0']);
    assert.equal((await second.ended).code, 3, second.output);
    // The same database by another name, in a folder that nobody has locked.
    const elsewhere = folder(t);
    for (const name of ['posthorn.db', 'posthorn.key']) linkSync(join(server.data, name), join(elsewhere, name));
    second = launch(t, ['serve', '--data', elsewhere, '--listen', '127.0.0.1:0']);
    await eventually('it is locked out, or ready', () => !second.running || /ready/.test(second.stdout));
    assert.equal(second.running, false, 'a second server has the database');
    assert.equal((await second.ended).code, 3, second.output);
    rmSync(join(server.data, 'posthorn.db'));
    second = launch(t, ['serve', '--data', server.data, '--listen', '127.0.0.1:0']);
    assert.notEqual((await second.ended).code, 0, second.output);
    assert.ok(!existsSync(join(server.data, 'posthorn.db')));
});

test('8.12: a link or a file of somebody else is no failed disk', async (t) => {
    const { data } = await initialize(t);
    const place = folder(t);
    renameSync(join(data, 'posthorn.db'), join(place, 'real.db'));
    symlinkSync(join(place, 'real.db'), join(data, 'posthorn.db'));
    const linked = await posthorn('serve', '--data', data, '--listen', '127.0.0.1:0');
    assert.equal(linked.code, 1);
    assert.match(linked.stderr, /symbolic link/);
    assert.doesNotMatch(linked.stderr, /disk failed/);
});
