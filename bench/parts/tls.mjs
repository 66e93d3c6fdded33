// (d) verified TLS: a new connection for every event, full and resumed, and connections that are kept.
// BENCH_TLS=3000 new connections, BENCH_TLS_KEPT=30000 events
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { count, install, row, serve, setUrl, startSink, throughput, work } from '../rig.mjs';

export const what = 'TLS';
const RUNS = 3;

function certificates() {
    const at = (name) => join(work, name);
    const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=bench CA');
    openssl('req', ...key, '-keyout', at('sink.key'), '-out', at('sink.csr'), '-subj', '/CN=127.0.0.1');
    writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1\n');
    openssl('x509', '-req', '-in', at('sink.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
        '-days', '2', '-extfile', at('san'), '-out', at('sink.pem'));
    return { ca: at('ca.pem'), cert: at('sink.pem'), key: at('sink.key') };
}

export async function run() {
    const { ca, cert, key } = certificates();
    const measure = async (events, ...args) => {
        const sink = await startSink('--cert', cert, '--tls-key', key, ...args);
        const server = await serve(install(), ['--ca-file', ca]);
        await setUrl(server, `https://127.0.0.1:${sink.port}/hook`);
        await throughput(server, sink, count('WARM', 200));
        const before = await sink.stats(), runs = [];
        for (let i = 0; i < RUNS; i++) runs.push(await throughput(server, sink, Math.ceil(events / RUNS)));
        const after = await sink.stats();
        await server.remove();
        await sink.end();
        return { rate: runs.map((run) => run.per_second), total: runs.map(({ cpu }) => cpu.total.us), ms: runs.map(({ cpu }) => cpu.delivery.us / 1000),
                 handshakes: after.handshakes - before.handshakes, resumed: after.resumed - before.resumed };
    };
    const few = count('TLS', 3000, 30), many = count('TLS_KEPT', 30_000, 30);
    const full = await measure(few, '--close', '--no-resume'), resumed = await measure(few, '--close'), kept = await measure(many);
    return [row('tls.full.rate', '(d) new TLS connections', '/s', full.rate, { digits: 0, better: 'more' }),
            row('tls.full.cpu', '    CPU a new one', 'ms', full.ms, { digits: 2, aim: 0.8 }),
            row('tls.resumed.rate', '    resumed', '/s', resumed.rate, { digits: 0, better: 'more', note: `${resumed.resumed} of ${resumed.handshakes}` }),
            row('tls.resumed.cpu', '    CPU a resumed one', 'ms', resumed.ms, { digits: 2, aim: 0.4 }),
            row('tls.kept.cpu', '    kept alive: CPU an event', 'us', kept.total, { note: `${kept.handshakes} handshakes` }),
            row('tls.kept.rate', '    kept alive: delivered', 'events/s', kept.rate, { digits: 0, better: 'more' })];
}
