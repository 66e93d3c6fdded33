// A name server whose answers a test decides: names are functions of the question's type and of how often it was asked.
import dgram from 'node:dgram';
import { isIPv6 } from 'node:net';

const A = 1, CNAME = 5, AAAA = 28, IN = 1, NO_SUCH_NAME = 3;

function name_bytes(name) {
    const labels = name.split('.').filter(Boolean).map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
    return Buffer.concat([...labels, Buffer.from([0])]);
}

function read_name(packet, at) {
    const labels = [];
    for (let length; (length = packet[at]) > 0; at += length + 1) labels.push(packet.toString('latin1', at + 1, at + 1 + length));
    return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function address_bytes(address) {
    if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
    const words = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').map((half) => half.split(':').filter(Boolean));
    const zeros = words.length === 2 ? Array(8 - words[0].length - words[1].length).fill('0') : [];
    const all = [...words[0], ...zeros, ...(words[1] ?? [])].map((word) => parseInt(word, 16));
    return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]));
}

/* TTL 0: each attempt asks anew. */
function record(name, type, data) {
    const head = Buffer.alloc(10);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(IN, 2);
    head.writeUInt16BE(data.length, 8);
    return Buffer.concat([name_bytes(name), head, data]);
}

/**
 * `table`: name -> addresses, or (type, nth) -> addresses, where type is 'A' or 'AAAA' and nth counts from 1 for each. An
 * item `alias:NAME` makes what follows belong to that name. What is not in the table does not exist.
 */
export async function nameServer(t, table, { port = 53 } = {}) {
    const socket = dgram.createSocket('udp4');
    const asked = [];
    socket.on('message', (packet, from) => {
        const { name, end } = read_name(packet, 12);
        const code = packet.readUInt16BE(end);
        const type = code === AAAA ? 'AAAA' : 'A';
        const nth = asked.push({ name, type }) && asked.filter((q) => q.name === name && q.type === type).length;
        const entry = table[name];
        const items = (typeof entry === 'function' ? entry(type, nth) : entry) ?? [];
        const answers = [];
        let owner = name;
        for (const item of items) {
            if (item.startsWith('alias:')) {
                const alias = item.slice(6);
                answers.push(record(owner, CNAME, name_bytes(alias)));
                owner = alias;
            } else if (isIPv6(item) === (code === AAAA)) {
                answers.push(record(owner, code === AAAA ? AAAA : A, address_bytes(item)));
            }
        }
        const head = Buffer.alloc(12);
        packet.copy(head, 0, 0, 2);
        head.writeUInt16BE(0x8180 | (entry ? 0 : NO_SUCH_NAME), 2);
        head.writeUInt16BE(1, 4);
        head.writeUInt16BE(answers.length, 6);
        socket.send(Buffer.concat([head, packet.subarray(12, end + 4), ...answers]), from.port, from.address);
    });
    await new Promise((resolve, reject) => socket.on('error', reject).bind(port, '127.0.0.1', resolve));
    t.after(() => socket.close());
    return { asked, address: `127.0.0.1:${socket.address().port}`, of: (name, type) => asked.filter((q) => q.name === name && q.type === type).length };
}
