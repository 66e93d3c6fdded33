// The public nodejs example handler as a receiver of ours, unmodified.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { exampleHandler } from './example_handler.mjs';
import { eventually, posthorn, serve, setUrl, sleep } from './harness.mjs';

test('the example handler lives through the whole catalogue', async (t) => {
    const server = await serve(t);
    const handler = await exampleHandler(t);
    await setUrl(server, handler.url);
    const catalog = await posthorn('catalog', '--json');
    assert.equal(catalog.code, 0, catalog.stderr);
    const types = JSON.parse(catalog.stdout).map((entry) => entry.name);
    assert.ok(types.length >= 14, catalog.stdout);
    for (const type of types) {
        const made = await posthorn('trigger', type, '--server', server.url, '--key', server.api_key);
        assert.equal(made.code, 0, `${type}: ${made.stderr}`);
    }
    await eventually('a file an event', () => {
        if (handler.dead) throw handler.dead;
        return readdirSync(handler.examples).length >= types.length;
    });
    await sleep(200); /* time for a probe nobody asked for */
    assert.equal(handler.dead, null);
    for (const type of types) {
        const file = readdirSync(handler.examples).find((name) => name.endsWith(`_${type}.json`));
        assert.ok(file, `${type} has a file`);
        const { data } = JSON.parse(readFileSync(join(handler.examples, file), 'utf8'));
        assert.equal(data.attributes.event_type, type);
    }
});
