// The address guard in a world of its own: every address there is, internal or public, ends at a canary in this network
// namespace, and a witness sees each SYN that anybody sends, answered or not. What the server dials is what it says
// there, not what it says of itself. It runs without --dev, and its resolver is the system's: /etc/resolv.conf.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import net, { isIPv6 } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventually, folder, post, POSTHORN, serve } from '../e2e/harness.mjs';
import { documentOf } from '../e2e/openapi-contract.mjs';
import { nameServer } from './names.mjs';
import { enter, part, sh } from './room.mjs';

const outside = await enter();
const PORTS = [80, 443, 8080];
const OWN = ['8.8.8.8', '2001:4860:4860::8888']; /* public, and yet this machine's */

// guard.md's lists, written down once more: a table that is checked with itself shows nothing.
const NETWORKS = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16',
    '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16',
    '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'];
const DENIED_IPV6 = ['::', '::1', '::2', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:169.254.169.254', '::ffff:1.1.1.1',
    '::127.0.0.1', '::10.0.0.1', '::ffff:0:10.0.0.1', '64:ff9b::10.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '100::1',
    '1fff:ffff::1', '2001::1', '2001:0:a00:1::f5ff:fffe', '2001:10::1', '2001:20::1', '2001:1ff:ffff::1', '2001:db8::1',
    '2001:db8:ffff::1', '2002:7f00:1::1', '2002:a00:1::1', '2002:a9fe:a9fe::1', '3fff::1', '3fff:fff:ffff::1',
    '2620:4f:8000::1', '4000::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fdff:ffff::1', 'fe80::1', 'fe80::5efe:10.0.0.1',
    'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1'];
/* Nobody can open a connection there, whatever the routes say. */
const UNREACHABLE = /^(22[4-9]\.|23\d\.|255\.255\.255\.255$|127\.255\.255\.255$|fe[89ab]|ff0)/;
const BLOCKED = NETWORKS.flatMap((text) => {
    const [first, prefix] = text.split('/');
    const from = first.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
    const size = 2 ** (32 - prefix);
    const shown = (number) => [24, 16, 8, 0].map((bits) => (number / 2 ** bits) & 255).join('.');
    return [...new Set([from, from + 1, from + Math.floor(size / 2), from + size - 1].filter((at) => at < from + size))].map(shown);
}).concat(['169.254.169.254', '100.100.100.200'], DENIED_IPV6);

if (!outside) {
    for (const family of ['-4', '-6']) sh(`ip ${family} route add local default dev lo`);
    for (const own of OWN) sh(`ip addr add ${own}/${isIPv6(own) ? 128 : 32} dev lo`);
    /* Whoever asks the search list, or the hosts file, ends inside. */
    const files = sh('mktemp -d');
    process.on('exit', () => sh(`rm -rf ${files}`));
    const put = (path, text) => {
        const copy = join(files, path.replaceAll('/', '_'));
        writeFileSync(copy, text);
        sh(`mount --bind ${copy} ${realpathSync(path)}`);
    };
    put('/etc/resolv.conf', 'nameserver 127.0.0.1\nsearch search.rig.net\noptions ndots:5\n');
    put('/etc/hosts', '127.0.0.1 localhost\n10.0.0.77 in-hosts.rig.net\n');
}

/** Listens on every address there is. `reached`: where somebody got through to, "ADDRESS PORT". */
async function canary(t) {
    const reached = [];
    for (const port of PORTS) {
        const server = net.createServer((socket) => {
            reached.push(`${socket.localAddress.replace(/^::ffff:/, '')} ${socket.localPort}`);
            socket.on('error', () => {});
            socket.on('data', (data) => {
                const elsewhere = data.includes(' /redirect ') ? 'Location: http://10.0.0.99/\r\n' : '';
                socket.end(answer(elsewhere ? 302 : 200, '{}', `Connection: close\r\n${elsewhere}`));
            });
        });
        await new Promise((resolve, reject) => server.on('error', reject).listen(port, '::', resolve));
        t.after(() => server.close());
    }
    return { reached };
}

/** Sees each SYN. `syns()` gives those so far, "ADDRESS PORT", surely all of them. */
async function witness(t) {
    const child = spawn(part('witness'), { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    let text = '', marks = 0;
    child.stdout.on('data', (data) => (text += data));
    await eventually('the witness', () => text.startsWith('ready\n'));
    return {
        async syns() {
            net.connect(9, '127.0.0.1').on('error', () => {});
            marks++;
            await eventually('the mark', () => text.split('\nmark ').length > marks);
            for (const [, dropped] of text.matchAll(/^mark (\d+)$/gm)) assert.equal(dropped, '0', 'nothing went by unseen');
            return [...text.matchAll(/^syn (\S+ \d+)$/gm)].map(([, syn]) => syn);
        },
    };
}

/** The rig and a server in it; `dialled()` is what that server dialled: all but this test's own calls of its API. */
async function rig(t, names, args = []) {
    await documentOf(POSTHORN); // by a server of its own, which is not to be seen dialled
    const dns = await nameServer(t, names), birds = await canary(t), eye = await witness(t);
    const proxy = 'http://10.0.0.88:8080';
    const server = await serve(t, {
        dev: false,
        args: ['--allow-http', '--rate-limit', '0', '--backoff-base', '200ms', '--backoff-factor', '1', ...args],
        env: { http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy, all_proxy: proxy, ALL_PROXY: proxy },
    });
    const own = `127.0.0.1 ${new URL(server.url).port}`;
    const dialled = async () => [...new Set((await eye.syns()).filter((syn) => syn !== own))].sort();
    return { dns, birds, server, dialled };
}

const make = (server, url) => api(server, 'POST', '/api/users',
    { data: { type: 'users', attributes: { name: 'N', webhook_url: url } } });

/** A user with that URL and one event for it: its id. */
async function event(server, url) {
    const { status, json, text } = await make(server, url);
    assert.equal(status, 201, `${url}: ${text}`);
    return post(server, { user: json.data.id });
}

const attempts = async (server, id) => {
    const { id: number } = await delivery(server, id);
    return (await api(server, 'GET', `/api/deliveries/${number}`)).json.data.attributes.attempts;
};

/** Waits for so many attempts, which are all ended for that reason; gives them. */
async function ends(server, id, reason, least = 2) {
    const made = await eventually(`${least} attempts`, async () => {
        const list = await attempts(server, id);
        return list.length >= least && list;
    });
    for (const one of made) assert.equal(one.reason, reason);
    return made;
}

test('guard: the rig sees: a plain client reaches the canary at every internal address, and the witness saw it', outside, async (t) => {
    const birds = await canary(t), eye = await witness(t);
    const missed = [];
    for (const host of BLOCKED) {
        await new Promise((resolve) => {
            const socket = net.connect({ host, port: 8080 }, () => (socket.destroy(), resolve()));
            socket.on('error', () => (missed.push(host), resolve()));
        });
    }
    assert.deepEqual(missed.filter((host) => !UNREACHABLE.test(host)), []);
    const syns = new Set(await eye.syns());
    const shown = (host) => (isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host);
    const plain = BLOCKED.filter((host) => !missed.includes(host) && !/^::|^0\.0\.0\.0$/.test(host));
    for (const host of plain) assert.ok([...syns].some((syn) => shown(syn.split(' ')[0]) === shown(host)), host);
    assert.ok(birds.reached.length >= plain.length);
    t.diagnostic(`${BLOCKED.length - missed.length} of ${BLOCKED.length} addresses can be reached`);
});

test('guard: every URL of the deny list is refused when it is set, and nobody is dialled', outside, async (t) => {
    const { server, birds, dialled } = await rig(t, {});
    const refused = {
        url_address: BLOCKED.flatMap((address) => {
            const host = isIPv6(address) ? `[${address}]` : address;
            return ['http', 'https'].flatMap((scheme) => ['', ':8080'].map((port) => `${scheme}://${host}${port}/`));
        }).concat('http://169.254.169.254/latest/meta-data/'),
        url_host: ['http://0x7f000001/', 'http://2130706433/', 'http://127.1/', 'http://0177.0.0.1/', 'http://localhost/',
            'http://foo.localhost/', 'http://metadata.google.internal/', 'http://127.0.0.1./', 'http://127%2e0%2e0%2e1/',
            'http://[::1%25lo]/', 'http://１２７.０.０.１/', 'http://127。0。0。1/', 'http://0x7f.0.0.1/', 'http://127.0x1/', 'http://a.0x7f/',
            'http://10.0.0.01/', 'http://10.0.0.256/', 'http://1.1.1.1.1/', 'http://a.1/'],
        url_userinfo: ['http://user:pw@example.com/', 'http://example.com@127.0.0.1/'],
        url_syntax: ['http://example.com\\@127.0.0.1/', 'http://example.com/#@127.0.0.1/', 'http://example.com/\n', 'http://a b.com/'],
        url_port: ['0', '22', '25', '65536', '-1', '08443', '443x', '5432', '6379'].map((port) => `http://1.1.1.1:${port}/`),
        url_scheme: ['file:///etc/passwd', 'ftp://1.1.1.1/', 'gopher://1.1.1.1/', 'dict://1.1.1.1/', 'ws://1.1.1.1/', 'data:,x', '//host'],
    };
    for (const [code, urls] of Object.entries(refused))
        for (const url of urls) {
            const { status, json, text } = await make(server, url);
            assert.deepEqual([status, json.errors?.[0].code], [422, code], `${url}: ${text}`);
        }
    assert.deepEqual([birds.reached, await dialled()], [[], []]);
});

test('guard: names of internal addresses are accepted when set, blocked when dialled: not one SYN', outside, async (t) => {
    const names = {};
    const urls = BLOCKED.map((address, at) => {
        names[`n${at}.rig.net`] = [address];
        return `http${PORTS[at % 3] === 443 ? 's' : ''}://n${at}.rig.net:${PORTS[at % 3]}/`;
    });
    names['all.rig.net'] = ['10.0.0.1', '192.168.0.1', '127.0.0.1', '::1', 'fd00::1'];
    names['alias.rig.net'] = ['alias:localhost', '127.0.0.1', '::1'];
    names['metadata.rig.net'] = ['alias:metadata.google.internal', '169.254.169.254'];
    names['chain.rig.net'] = ['alias:a.example.org', 'alias:localhost', '127.0.0.1'];
    urls.push('http://all.rig.net/', 'http://alias.rig.net/', 'http://metadata.rig.net/', 'http://chain.rig.net:8080/');
    /* Answers that are no address: an alias that ends at a name which others would look up in the hosts file. */
    names['bare.rig.net'] = ['alias:localhost'];
    /* What only the search list or the hosts file would find. */
    names['missing.org.search.rig.net'] = ['10.0.0.66'];
    const { server, birds, dialled, dns } = await rig(t, names);
    const ids = await Promise.all(urls.map((url) => event(server, url)));
    for (const id of ids) await ends(server, id, 'blocked_address');
    await ends(server, await event(server, 'http://bare.rig.net/'), 'dns_empty');
    await ends(server, await event(server, 'http://missing.org/'), 'dns_not_found');
    await ends(server, await event(server, 'http://in-hosts.rig.net/'), 'dns_not_found');
    assert.ok(dns.of('n0.rig.net', 'A') >= 2, 'asked anew for each attempt');
    assert.equal(dns.of('missing.org.search.rig.net', 'A'), 0, 'no search list');
    assert.deepEqual([birds.reached, await dialled()], [[], []]);
});

test('guard: mixed answers: the public address only, also when it does not answer', outside, async (t) => {
    const { server, birds, dialled } = await rig(t, {
        'both.rig.net': ['10.0.0.5', '1.1.1.5', '192.168.0.5'],
        'six.rig.net': ['::1', '1.1.1.6'],
        'four.rig.net': ['127.0.0.1', '2606:4700::7'],
        'aliased.rig.net': ['alias:localhost', '127.0.0.1', '1.1.1.8'],
        'dead.rig.net': ['1.1.1.9', '10.0.0.9', '::1'],
    });
    for (const [name, address] of Object.entries({ both: '1.1.1.5', six: '1.1.1.6', four: '2606:4700::7', aliased: '1.1.1.8' })) {
        const id = await event(server, `http://${name}.rig.net/`);
        await eventually(name, async () => (await delivery(server, id)).attributes.state === 'delivered');
        const [only] = await attempts(server, id);
        assert.ok(only.mixed_answer, name);
        assert.ok(only.address.includes(address), only.address);
    }
    /* Nobody listens at 8081. */
    for (const one of await ends(server, await event(server, 'http://dead.rig.net:8081/'), 'connect_refused', 3)) assert.ok(one.mixed_answer);
    assert.deepEqual(await dialled(), ['1.1.1.5 80', '1.1.1.6 80', '1.1.1.8 80', '1.1.1.9 8081', '2606:4700::7 80']);
    assert.equal(birds.reached.length, 4);
});

test('guard: answers that flip between look-ups, and redirects: the public address only', outside, async (t) => {
    const turn = (nth, ...list) => [list[(nth - 1) % list.length]];
    const { server, dns, birds, dialled } = await rig(t, {
        'flip.rig.net': (type, nth) => (type === 'A' ? turn(nth, '1.1.1.20', '127.0.0.1', '1.1.1.20', '169.254.169.254') : []),
        'flop.rig.net': (type, nth) => (type === 'A' ? turn(nth, '10.0.0.21', '1.1.1.21') : turn(nth, '2606:4700::21', 'fd00::21')),
        'away.rig.net': ['1.1.1.22'],
    });
    const flip = [], flop = [];
    const flipping = (await make(server, 'http://flip.rig.net/')).json.data.id;
    const flopping = (await make(server, 'http://flop.rig.net:8080/')).json.data.id;
    for (let i = 0; i < 12; i++) {
        flip.push(await post(server, { user: flipping }));
        flop.push(await post(server, { user: flopping }));
    }
    const away = await event(server, 'http://away.rig.net/redirect');
    let blocked = 0;
    for (const id of [...flip, ...flop]) {
        await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
        for (const { reason, address } of await attempts(server, id)) {
            if (reason === 'blocked_address') blocked++;
            else assert.match(address, /^\[?(1\.1\.1\.2[01]|2606:4700::21)\]?/, reason);
        }
    }
    await ends(server, away, 'redirect');
    assert.ok(dns.of('flip.rig.net', 'A') >= 2 && blocked >= 1, 'it did flip under its feet');
    assert.deepEqual(await dialled(), ['1.1.1.20 80', '1.1.1.21 8080', '1.1.1.22 80', '2606:4700::21 8080']);
    assert.ok(birds.reached.length >= 4);
});

test('guard: an address of an own interface is denied, however public', outside, async (t) => {
    const { server, dialled } = await rig(t, { 'own.rig.net': OWN, 'other.rig.net': ['8.8.8.9'] });
    await ends(server, await event(server, 'http://own.rig.net/'), 'blocked_address');
    const id = await event(server, 'http://other.rig.net/');
    await eventually('its neighbour', async () => (await delivery(server, id)).attributes.state === 'delivered');
    assert.deepEqual(await dialled(), ['8.8.8.9 80']);
});

test('guard: the control: what the operator listed is dialled, and nothing beside it', outside, async (t) => {
    const { server, birds, dialled } = await rig(t, {
        'listed.rig.net': ['10.20.0.5'], 'next.rig.net': ['10.21.0.5'], 'port.rig.net': ['192.168.7.7'], 'six.rig.net': ['fd00:20::5'],
    }, ['--allow-target', '10.20.0.0/16', '--allow-target', '192.168.7.7/32:8080', '--allow-target', 'fd00:20::/32']);
    const reached = ['http://listed.rig.net/', 'http://10.20.255.255:8080/', 'http://port.rig.net:8080/', 'http://[fd00:20::6]/', 'http://six.rig.net/'];
    for (const url of reached) {
        const id = await event(server, url);
        await eventually(url, async () => (await delivery(server, id)).attributes.state === 'delivered');
    }
    for (const url of ['http://next.rig.net/', 'http://port.rig.net/']) await ends(server, await event(server, url), 'blocked_address');
    for (const url of ['http://10.21.0.0/', 'http://10.19.255.255/', 'http://192.168.7.7/', 'http://192.168.7.6:8080/', 'http://[fd00:21::6]/'])
        assert.equal((await make(server, url)).json.errors?.[0].code, 'url_address', url);
    const expected = ['10.20.0.5 80', '10.20.255.255 8080', '192.168.7.7 8080', 'fd00:20::5 80', 'fd00:20::6 80'];
    assert.deepEqual(await dialled(), expected);
    assert.deepEqual([...birds.reached].sort(), expected);
});
