// The power goes, honestly: the server runs on a file system whose memory is then lost. Frozen first, or it would be
// a race with the sync that is under way; killed only after, so that nothing of it can act on what it sees.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { api, eventually, folder, initialize, post, receiver, serve, setUrl, sleep } from '../e2e/harness.mjs';
import { enter, part, sh } from './room.mjs';

const outside = await enter({ realRoot: true, needs: ['mkfs.ext4', 'losetup'] });
const PRODUCERS = 8;

/** A disk that can lose its power: `at`, `cut()`, `mend()`. Its loop device goes with the last mount. */
function disk(t) {
    /* Before the folder is removed, and whoever may still be on it. */
    t.after(() => sh(`! mountpoint -q ${at} || umount -l ${at}`));
    const home = folder(t), image = join(home, 'image'), at = join(home, 'disk');
    const mount = () => sh(`mount -o loop,noatime ${image} ${at}`);
    mkdirSync(at);
    sh(`truncate -s 96M ${image} && mkfs.ext4 -q -F ${image}`);
    mount();
    return {
        at,
        cut: () => sh(`${part('cut')} ${at}`),
        mend: () => {
            sh(`umount ${at}`);
            mount();
        },
    };
}

/** No loop devices, or another kernel's ext4: then nothing can be shown here. */
function unable() {
    try {
        const home = sh('mktemp -d');
        try {
            sh(`truncate -s 16M ${home}/image && mkfs.ext4 -q -F ${home}/image && mkdir ${home}/disk`);
            sh(`mount -o loop ${home}/image ${home}/disk && ${part('cut')} ${home}/disk; code=$?; umount ${home}/disk; exit $code`);
        } finally {
            sh(`rm -rf ${home}`);
        }
    } catch (error) {
        return { skip: `no ext4 on a loop device that can be shut down: ${error.message}` };
    }
}
const here = outside ?? unable();

/**
 * Cuts the power `cuts` times under load. Gives what was answered 201 (`accepted`), which of that is not in the store after
 * it all (`lost`), and what went to the receiver.
 */
async function play(t, { cuts, env = {} }) {
    const plate = disk(t);
    const there = await receiver(t);
    const install = await initialize(t, join(plate.at, 'data'));
    const start = () => serve(t, { install, env, args: ['--rate-limit', '0', '--time-scale', '100'] });
    const accepted = [];
    let server = await start();
    await setUrl(server, there.url);
    for (let done = 0; done < cuts; done++) {
        const before = accepted.length, { url } = server;
        const producers = Array.from({ length: PRODUCERS }, async () => {
            for (;;) {
                try {
                    accepted.push(await post({ ...server, url, api_key: install.api_key }));
                } catch {
                    return; /* not answered: nothing was promised */
                }
            }
        });
        await eventually('load', () => accepted.length - before >= 50);
        await sleep(Math.random() * 50);
        server.signal('SIGSTOP');
        await eventually('frozen', () => /^State:\s+T/m.test(sh(`cat /proc/${server.pid}/status`)));
        plate.cut();
        await server.end('SIGKILL');
        await Promise.all(producers);
        plate.mend();
        server = await start();
    }
    const lost = [];
    for (const id of accepted) {
        const { status } = await api(server, 'GET', `/api/events/${id}`);
        if (status === 404) lost.push(id);
        else assert.equal(status, 200);
    }
    return { server, there, accepted, lost };
}

test('the power goes 15 times: whatever was answered 201 is there and is delivered, and no id is given twice', here, async (t) => {
    const { there, accepted, lost } = await play(t, { cuts: 15 });
    assert.deepEqual(lost, []);
    assert.equal(new Set(accepted).size, accepted.length, 'no id was given twice');
    await eventually('everything accepted is delivered', () => {
        const seen = new Set(there.requests.map(({ id }) => id));
        return accepted.every((id) => seen.has(id));
    }, 120_000);
    /* An id whose event was lost and given anew would come with two bodies. */
    const bodies = new Map();
    for (const push of there.requests) {
        const body = push.body.toString('latin1');
        assert.equal(bodies.get(push.id) ?? body, body, `${push.id} has one body`);
        bodies.set(push.id, body);
    }
    t.diagnostic(`${accepted.length} events accepted, ${there.requests.length} pushes`);
});

test('the control: with a log that is not synced (as synchronous=NORMAL has it) the same cuts lose events that were answered 201', here, async (t) => {
    const { accepted, lost } = await play(t, { cuts: 3, env: { LD_PRELOAD: part('unsynced.so') } });
    assert.ok(lost.length > 0, `none of ${accepted.length} were lost: these cuts cut nothing`);
    t.diagnostic(`${lost.length} of ${accepted.length} lost`);
});
