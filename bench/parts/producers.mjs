// 50, 256 and 1,024 producers at once, all for one endpoint. BENCH_PRODUCERS=50,256,1024 BENCH_PRODUCERS_EVENTS=40000
import { count, install, row, serve, setUrl, startSink, throughput } from '../rig.mjs';

export const what = 'many producers at once';

export async function run() {
    const rows = [];
    for (const connections of (process.env.BENCH_PRODUCERS ?? '50,256,1024').split(',').map(Number)) {
        const sink = await startSink();
        const server = await serve(install());
        await setUrl(server, `${sink.url}/hook`);
        await throughput(server, sink, count('WARM', 2000, 10));
        const runs = [];
        for (let i = 0; i < 3; i++)
            runs.push(await throughput(server, sink, count('PRODUCERS_EVENTS', 40_000), { connections }));
        await server.remove();
        await sink.end();
        const key = `producers${connections}`;
        rows.push(row(`${key}.cpu`, `${connections} producers: CPU an event`, 'us', runs.map(({ cpu }) => cpu.total.us)),
                  row(`${key}.store`, '    store', 'us', runs.map(({ cpu }) => cpu.store.us)),
                  row(`${key}.rate`, '    delivered', 'events/s', runs.map((run) => run.per_second), { digits: 0, better: 'more' }));
    }
    return rows;
}
