import { createRequire } from 'node:module';
import { idle_ms, note, port } from './arrivals.mjs';

const app = createRequire(process.env.MODULES)('fastify')({ keepAliveTimeout: idle_ms });
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
app.post('/webhooks', async (request) => {
    note(request.body);
    return { status: 'success' };
});
await app.listen({ port, host: '0.0.0.0' });
process.on('SIGTERM', () => app.close().then(() => process.exit(0)));
