// Our own DNS resolver falls silent, with the real program: nobody's attempt, nobody's window (promise P3).
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import test from 'node:test';
import { answer, api, delivery, eventually, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const GOOD = 'hook.example.com', DEAD = 'dead.example.com';

/** The name asked for, as in "hook.example.com"; the root is "". */
function nameOf(packet) {
    const labels = [];
    for (let at = 12; packet[at] !== 0; at += 1 + packet[at])
        labels.push(packet.toString('latin1', at + 1, at + 1 + packet[at]));
    return labels.join('.');
}

/** A resolver: GOOD is 127.0.0.1, without a TTL; nothing is ever said of DEAD; other names have no address. */
async function resolver(t) {
    const there = { mute: false, asked: [] };
    const socket = dgram.createSocket('udp4');
    socket.on('message', (packet, from) => {
        const name = nameOf(packet);
        there.asked.push(name);
        if (there.mute || name === DEAD) return;
        const end = packet.indexOf(0, 12) + 5;
        const found = name === GOOD && packet.readUInt16BE(end - 4) === 1;
        const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
        const head = Buffer.from([packet[0], packet[1], 0x81, 0x80, 0, 1, 0, found ? 1 : 0, 0, 0, 0, 0]);
        socket.send(Buffer.concat([head, packet.subarray(12, end), ...(found ? [record] : [])]), from.port, from.address);
    });
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    t.after(() => socket.close());
    return Object.assign(there, { address: `127.0.0.1:${socket.address().port}` });
}

const attributes = async (server, event) =>
    (await api(server, 'GET', `/api/deliveries/${(await delivery(server, event)).id}`)).json.data.attributes;

test('a resolver that is silent for longer than the window costs no attempt and no window; then it is delivered', async (t) => {
    const dns = await resolver(t);
    /* a window of 10 s, delays of 50 and 150 ms */
    const server = await serve(t, { args: ['--time-scale', '200', '--window', '2000s', '--dns-servers', dns.address] });
    const there = await receiver(t, (push, number) => {
        dns.mute = number === 1; /* from here on there is a window to use up */
        return answer(number < 3 ? 500 : 200, '', 'Connection: close\r\n');
    });
    await setUrl(server, `http://${GOOD}:${there.port}/`);
    dns.mute = true;
    const event = await post(server);
    const outages = async () =>
        (await attributes(server, event)).attempts.filter((one) => one.reason === 'local_outage').length;
    await eventually('not resolved', async () => (await outages()) === 1, 60_000);
    assert.equal((await attributes(server, event)).attempt_count, 0);
    dns.mute = false;
    await there.arrived(1);
    const before = await outages(), asked = dns.asked.length;
    /* Each attempt asks, waits 5 s and probes; the window is 10 s. */
    await eventually('not resolved for longer than the window', () =>
        dns.asked.slice(asked).filter((name) => name === '').length >= 6, 60_000);
    assert.equal(await outages(), before + 1, '8.6: one line for a stretch of it');
    const { attempt_count, state } = await attributes(server, event);
    assert.deepEqual([attempt_count, there.requests.length, state], [1, 1, 'pending']);
    dns.mute = false;
    await eventually('delivered', async () => (await attributes(server, event)).state === 'delivered', 60_000);
    assert.equal(there.requests.length, 3, 'two failures of the receiver, and neither was the last');
    for (const one of (await attributes(server, event)).attempts)
        assert.equal(one.counted, one.reason !== 'local_outage', one.reason);
});

test('a name whose own servers are dead is its owner\'s failure', async (t) => {
    const dns = await resolver(t);
    const server = await serve(t, { args: ['--dns-servers', dns.address] });
    await setUrl(server, `http://${DEAD}/`);
    const event = await post(server);
    await eventually('not resolved', async () => (await attributes(server, event)).attempt_count === 1);
    assert.equal((await attributes(server, event)).last_reason, 'dns_timeout');
    assert.ok(dns.asked.every((name) => name === DEAD || name === ''), 'the probe names no receiver');
});

test('doctor: whose fault it is that a name is not resolved', async (t) => {
    const dns = await resolver(t);
    const doctor = async () => {
        const { code, stdout } = await posthorn('doctor', '--dev', '--json', '--dns-servers', dns.address, `http://${DEAD}/`);
        assert.equal(code, 1);
        return JSON.parse(stdout.trim().split('\n').at(-1));
    };
    const theirs = await doctor();
    assert.match(theirs.detail, /dead\.example\.com: the host name could not be resolved/);
    assert.match(theirs.remedy, /name's DNS/);
    dns.mute = true;
    const ours = await doctor();
    assert.match(ours.detail, /the DNS resolver of this machine does not answer, for any name/);
    assert.match(ours.remedy, /not the receiver's fault.*dns-servers.*resolv\.conf/);
});
