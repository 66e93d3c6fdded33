// rows: 20, 40, 41, 43, 45, 46, 51
//
// The guide's own words, run as they are printed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { api, folder, post, receiver, run, serve, setUrl } from '../e2e/harness.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path) => readFileSync(join(ROOT, path), 'utf8');

/* ---- the sample ---- */

const SAMPLE = read('docs/guide-sample.json');

test('row 20: the sample as it stands: 400, line 11, the missing comma named', async (t) => {
    const server = await serve(t);
    assert.match(SAMPLE.split('\n')[10], /"event_type" : "user_enabled"$/);
    const { status, json } = await api(server, 'POST', '/api/events', SAMPLE);
    assert.equal(status, 400);
    assert.equal(json.errors.length, 1);
    assert.match(json.errors[0].detail, /line 11\b/);
    assert.match(json.errors[0].detail, /column \d+/);
    assert.match(json.errors[0].detail, /comma is missing/);
});

test('row 20: each of its other faults is named in turn; mended it is accepted, comments and trailing commas and all', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const comma = SAMPLE.replace('"user_enabled"', '"user_enabled",');
    const dots = await api(server, 'POST', '/api/events', comma);
    assert.equal(dots.status, 400);
    assert.match(dots.json.errors[0].detail, new RegExp(`line ${comma.split('\n').findIndex((line) => /^\s*\.\.\./.test(line)) + 1}\\b`));
    const made = await api(server, 'POST', '/api/events', comma.replace('...', ''));
    assert.equal(made.status, 201, made.text);
    const warnings = new Set(made.json.meta.warnings.map(({ code }) => code));
    assert.deepEqual(warnings, new Set(['json_comment', 'json_trailing_comma', 'id_ignored', 'attribute_ignored']));
    const [push] = await there.arrived(1);
    assert.equal(push.json.data.attributes.event_type, 'user_enabled');
    assert.equal(push.json.data.attributes.created_at, '2000-01-01T00:00:00.000Z');
    assert.deepEqual(push.json.data.relationships.resource.data, { type: 'concierge_requests', id: '1' });
});

/* ---- the curl ---- */

const CURL = read('docs/guide-curl.sh');

/** Pasted into a shell, with only what a reader must change: the host, the key, and where to send. */
async function paste(server, url) {
    const changes = [['https://sandbox.bitex.la', server.url], ['your_api_key', server.api_key]];
    if (url) changes.push(['https://example.com', url]);
    let script = CURL;
    for (const [printed, ours] of changes) {
        assert.equal(script.split(printed).length, 2, `${printed} stands in the guide once`);
        script = script.replace(printed, () => ours);
    }
    const shell = await run('sh', ['-s'], { input: script.replace('curl ', "curl --silent --write-out '\\n%{http_code}' ") });
    assert.equal(shell.code, 0, shell.stderr);
    const lines = shell.stdout.split('\n');
    return { status: Number(lines.pop()), json: JSON.parse(lines.join('\n')) };
}

test('row 40: the curl of the guide, byte for byte but host and key: 200, URL set', async (t) => {
    const server = await serve(t);
    const { status, json } = await paste(server);
    assert.equal(status, 200);
    assert.equal(json.data.attributes.webhook_url, 'https://example.com');
    const me = await api(server, 'GET', '/api/users/me');
    assert.equal(me.json.data.id, '5');
    assert.equal(me.json.data.attributes.webhook_url, 'https://example.com');
});

test('row 40: and with a URL of ours, the next event arrives there', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    assert.equal((await paste(server, there.url)).status, 200);
    const id = await post(server);
    await there.arrived(1);
    assert.equal(there.requests[0].id, id);
});

test('row 41: its trailing comma: a warning in meta.warnings by default, 400 with strict-json', async (t) => {
    assert.match(CURL, /"webhook_url": "https:\/\/example\.com",\n\s*\}/);
    const lenient = await paste(await serve(t));
    assert.equal(lenient.status, 200);
    assert.equal(lenient.json.meta.warnings.length, 1);
    assert.match(JSON.stringify(lenient.json.meta.warnings[0]), /trailing comma/);
    assert.match(JSON.stringify(lenient.json.meta.warnings[0]), /line 6\b/);
    const strict = await serve(t, { args: ['--strict-json'] });
    const refused = await paste(strict);
    assert.equal(refused.status, 400);
    assert.match(refused.json.errors[0].detail, /line [67]\b/);
    assert.equal((await api(strict, 'GET', '/api/users/me')).json.data.attributes.webhook_url, null);
});

test('row 43: the id of the body must be the caller\'s; a missing one is tolerated, a number is fine', async (t) => {
    const server = await serve(t);
    assert.equal(server.user_id, '5', 'the first user of a new install');
    const patch = (path, id) => api(server, 'PATCH', path,
        { data: { ...(id === undefined ? {} : { id }), type: 'users', attributes: { webhook_url: 'https://example.com' } } });
    for (const path of ['/api/users/me', '/api/users/5']) {
        for (const id of ['5', 5, undefined]) assert.equal((await patch(path, id)).status, 200, `${path} ${id}`);
        for (const id of ['6', 6, 'me', '05', '']) {
            const { status, json } = await patch(path, id);
            assert.equal(status, 409, `${path} ${id}`);
            assert.equal(json.errors[0].source.pointer, '/data/id');
        }
    }
});

test('row 45: application/json on the call, and application/vnd.api+json, which takes no charset', async (t) => {
    const server = await serve(t);
    const body = JSON.stringify({ data: { type: 'users', id: '5', attributes: { webhook_url: 'https://example.com' } } });
    const patch = async (type) =>
        (await api(server, 'PATCH', '/api/users/me', body, { headers: { 'Content-Type': type } })).status;
    for (const type of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.api+json'])
        assert.equal(await patch(type), 200, type);
    for (const type of ['application/vnd.api+json; charset=utf-8', 'text/plain', 'application/x-www-form-urlencoded'])
        assert.equal(await patch(type), 415, type);
});

test('row 46: an API call is never redirected; a trailing slash is accepted', async (t) => {
    const server = await serve(t);
    const body = { data: { type: 'users', id: '5', attributes: { webhook_url: 'https://example.com' } } };
    for (const path of ['/api/users/me', '/api/users/me/', '/api/users/5/']) {
        assert.equal((await api(server, 'GET', path)).status, 200, path);
        const { status, headers } = await api(server, 'PATCH', path, body);
        assert.equal(status, 200, path);
        assert.equal(headers.get('location'), null);
    }
    assert.equal((await api(server, 'GET', '/api/users/me//')).status, 404);
    assert.equal((await api(server, 'GET', '/api//users/me')).status, 404);
});

/* ---- quicker ---- */

test('row 51: from a fresh clone to the first events on disk, with the README\'s own command', { timeout: 600_000 }, async (t) => {
    const clone = join(folder(t), 'posthorn');
    const [command] = read('README.md').match(/^ {4}make demo\b/m);
    mkdirSync(clone);
    /* As a clone would have it, with what is being worked on. */
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
        .toString().split('\0').filter((file) => file && !/^(bench|fuzz|tests)\//.test(file));
    execFileSync('tar', ['-C', ROOT, '--ignore-failed-read', '-cf', join(dirname(clone), 'tree.tar'), '--', ...files], { stdio: 'pipe' });
    execFileSync('tar', ['-C', clone, '-xf', join(dirname(clone), 'tree.tar')]);
    const begun = Date.now();
    /* `times` says what the children used: the clock of a machine that does other work, too, would say nothing. */
    const { code, stdout, stderr } = await run('bash', ['-c', `cd "$1" && ${command} && times`, 'bash', clone], { limitMs: 590_000 });
    assert.equal(code, 0, stderr + stdout.slice(-2000));
    assert.match(stdout, /user_enabled/);
    const [, children] = stdout.trim().split('\n').slice(-2);
    const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + 60 * m + Number(s), 0);
    t.diagnostic(`${Math.round((Date.now() - begun) / 1000)} s by the clock, ${Math.round(seconds)} s of CPU`);
    assert.ok(seconds < 120, `${seconds} s of CPU: more than a minute of two cores`);
});
