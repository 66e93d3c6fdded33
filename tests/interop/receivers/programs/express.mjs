import { createRequire } from 'node:module';
import { idle_ms, note, port } from './arrivals.mjs';

const express = createRequire(process.env.MODULES)('express');
const app = express();
app.post('/webhooks', express.raw({ type: 'application/json', limit: '2mb' }), (request, response) => {
    note(request.body);
    response.json({ status: 'success' });
});
const server = app.listen(port, '0.0.0.0');
server.keepAliveTimeout = idle_ms;
process.on('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
});
