// A stand-in with the exact habits of the public nodejs example handler, so that people who run that one are well
// served: it writes examples/ID_TYPE.json, answers 200 with {"status":"success"}, and dies on a request it
// cannot parse and on a concierge_request_output_working without its failures.
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { folder } from './harness.mjs';

/** `dead` is what it died of; afterwards nobody listens at `url`. */
export async function exampleHandler(t) {
    const examples = join(folder(t), 'examples');
    mkdirSync(examples);
    const handler = { examples, dead: null, requests: [] };
    const server = http.createServer((request, response) => {
        let body = '';
        request.on('data', (chunk) => (body += chunk));
        request.on('end', () => {
            handler.requests.push({ method: request.method, headers: request.headers, body });
            try {
                const document = JSON.parse(body);
                const { id, attributes: { event_type: type } } = document.data;
                if (type === 'concierge_request_output_working') {
                    document.data.relationships.failures.data.forEach(() => {});
                }
                writeFileSync(join(examples, `${id}_${type}.json`), JSON.stringify(document, null, 2));
                response.writeHead(200, { 'Content-Type': 'application/json' });
                response.end('{"status":"success"}');
            } catch (error) {
                handler.dead = error;
                server.close();
                server.closeAllConnections();
            }
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.close();
        server.closeAllConnections();
    });
    handler.url = `http://127.0.0.1:${server.address().port}`;
    return handler;
}
