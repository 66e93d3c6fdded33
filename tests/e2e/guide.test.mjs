// The guide's own words, run as they are printed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { api, post, receiver, run, serve } from './harness.mjs';

const GUIDE_CURL = readFileSync(new URL('../../docs/guide-curl.sh', import.meta.url), 'utf8');

/** Pasted into a shell, with only what a reader must change: the host, the key, and where to send. */
async function paste(server, url) {
    const changes = [['https://sandbox.bitex.la', server.url], ['your_api_key', server.api_key]];
    if (url) changes.push(['https://example.com', url]);
    let script = GUIDE_CURL;
    for (const [printed, ours] of changes) {
        assert.equal(script.split(printed).length, 2, `${printed} stands in the guide once`);
        script = script.replace(printed, () => ours);
    }
    const shell = await run('sh', ['-s'], { input: script.replace("curl ", "curl --silent --write-out '\\n%{http_code}' ") });
    assert.equal(shell.code, 0, shell.stderr);
    const lines = shell.stdout.split('\n');
    return { status: Number(lines.pop()), json: JSON.parse(lines.join('\n')) };
}

test('the curl of the guide, byte for byte but host and key, sets the URL', async (t) => {
    const server = await serve(t);
    const { status, json } = await paste(server);
    assert.equal(status, 200);
    assert.equal(json.data.attributes.webhook_url, 'https://example.com');
    const me = await api(server, 'GET', '/api/users/me');
    assert.equal(me.json.data.id, '5');
    assert.equal(me.json.data.attributes.webhook_url, 'https://example.com');
});

test('and with a URL of ours, the next event arrives there', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    assert.equal((await paste(server, there.url)).status, 200);
    const id = await post(server);
    await there.arrived(1);
    assert.equal(there.requests[0].id, id);
});
