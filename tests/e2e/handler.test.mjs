// A stand-in with the exact habits of the public nodejs example handler, so that people who run that one are well
// served: it writes examples/ID_TYPE.json, answers 200 with {"status":"success"}, and dies on a request it
// cannot parse and on a concierge_request_output_working without its failures.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { eventually, folder, posthorn, serve, setUrl, sleep } from './harness.mjs';

async function exampleHandler(t) {
    const examples = join(folder(t), 'examples');
    mkdirSync(examples);
    const handler = { examples, dead: null, lines: [] };
    const server = http.createServer((request, response) => {
        let body = '';
        request.on('data', (chunk) => (body += chunk));
        request.on('end', () => {
            try {
                const document = JSON.parse(body);
                const { id, attributes: { event_type: type } } = document.data;
                if (type === 'concierge_request_output_working') {
                    document.data.relationships.failures.data.forEach(() => {});
                }
                handler.lines.push(`${id} ${type}`);
                writeFileSync(join(examples, `${id}_${type}.json`), JSON.stringify(document, null, 2));
                response.writeHead(200, { 'Content-Type': 'application/json' });
                response.end('{"status":"success"}');
            } catch (error) {
                handler.dead = error;
                server.close();
                request.socket.destroy();
            }
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    handler.url = `http://127.0.0.1:${server.address().port}`;
    return handler;
}

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
