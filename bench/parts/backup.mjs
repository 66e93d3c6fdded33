// A backup while events come in as fast as they are answered. BENCH_BACKUP_EVENTS=200000 in the database before it
import { execFile, execFileSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BATCH_LINES, count, install, paced, post, program, row, seconds, serve, setting, setUrl, Skip, startSink, throughput, waitQuantile, work } from '../rig.mjs';

export const what = 'backup under load';

export async function run() {
    if (!/^ +backup\b/m.test(execFileSync(program, ['--help'], { encoding: 'utf8' }))) throw new Skip('this program has no `posthorn backup`');
    const sink = await startSink('--records', 1_000_000), server = await serve(install());
    await post(server.port, Math.ceil(count('BACKUP_EVENTS', 200_000, 200) / BATCH_LINES), { key: server.key, batch: BATCH_LINES, connections: 16 });
    await setUrl(server, `${sink.url}/hook`);
    await throughput(server, sink, count('WARM', 2000));
    const options = { rate: setting('BACKUP_RATE', 3000), seconds: seconds('BACKUP_SECONDS', 6) };
    const alone = await paced(server, sink, options);
    const bytes = statSync(join(server.data, 'posthorn.db')).size, took = [];
    let over = false;
    const backups = (async () => {
        for (let i = 0; !over && i < 20; i++) {
            const into = join(work, `backup-${i}`), begun = Date.now();
            await promisify(execFile)(program, ['backup', into, '--data', server.data]);
            took.push((Date.now() - begun) / 1000);
            rmSync(into, { recursive: true });
        }
    })();
    const beside = await paced(server, sink, options);
    over = true;
    await backups;
    await server.remove('SIGKILL');
    await sink.end();
    const [quiet, busy] = [alone, beside].map(({ waits }) => waitQuantile(waits, 'ack', 0.99));
    return [row('backup.seconds', `backup of ${Math.round(bytes / 1e6)} MB at ${options.rate} events/s`, 's', took, { digits: 2 }),
            row('backup.ack', '    POST to 201 meanwhile, p99', 'ms', busy.samples, { value: busy.value }),
            row('backup.ack_more', '    more than without', 'ms', busy.value - quiet.value, { aim: 20 })];
}
