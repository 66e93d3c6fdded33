#!/usr/bin/env python3
"""A network from this machine to itself that delays each packet: delay.py MILLISECONDS

It swaps the addresses of each packet and gives it back later. So a connection from 10.77.0.1 to 10.77.0.9:PORT reaches
the listener on 10.77.0.1:PORT as one from 10.77.0.9, and TCP at both ends sees the distance, as with no proxy. (The sum of the
addresses does not change, so the checksums hold.) Prints a line when a packet of TCP sets out that matters:
`KIND PORT ADDRESS SENDER_PORT MILLISECONDS`. PORT is the receiver's, ADDRESS the last number of the address that the
sender dialled, MILLISECONDS the monotonic clock's, and KIND one of

    request   the sender's first bytes since the last answer
    taken     the receiver's kernel acknowledges bytes of it
    answer    the receiver's first bytes since the request
    close     the receiver closes or resets the connection
"""
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
FIN, SYN, RST, ACK = 1, 2, 4, 16
RECEIVER_PORTS = range(20000, 21000)
TLS_GOODBYE = b"\x17\x03\x03\0\x13"  # the head of an encrypted alert of TLS 1.3


asked = {}  # connection: where in the stream its request begins, until it is answered; None once it is taken
ended = set()  # connections that the sender has closed: how the receiver answers that is of no interest


def note(packet, now):
    header = (packet[0] & 15) * 4
    if packet[0] >> 4 != 4 or packet[9] != 6:
        return
    source, target, sequence, acknowledged = struct.unpack_from("!HHII", packet, header)
    flags = packet[header + 13]
    content = packet[header + (packet[header + 12] >> 4) * 4 :]
    from_receiver = source in RECEIVER_PORTS
    connection = (source, packet[19], target) if from_receiver else (target, packet[19], source)

    def say(kind):
        print(kind, *connection, now * 1000, flush=True)

    if not from_receiver:
        if flags & SYN:
            asked.pop(connection, None)
            ended.discard(connection)
        if flags & (FIN | RST):
            ended.add(connection)
        if content and connection not in asked:
            asked[connection] = sequence
            say("request")
        return
    begun = asked.get(connection)
    if begun is not None and flags & ACK and 0 < (acknowledged - begun) % 2**32 < 2**31:
        asked[connection] = None
        say("taken")
    if flags & (FIN | RST) or content.startswith(TLS_GOODBYE):
        if connection not in ended:
            say("close")
    elif content and connection in asked:
        del asked[connection]
        say("answer")


delay = float(sys.argv[1]) / 1000
tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22s", b"far", IFF_TUN | IFF_NO_PI, b""))
subprocess.run("ip address add 10.77.0.1/24 dev far && ip link set far up", shell=True, check=True)
print("ready", flush=True)
under_way, number = [], 0
while True:
    wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
    if select.select([tun], [], [], wait)[0]:
        packet = os.read(tun, 65536)
        now = time.monotonic()
        note(packet, now)
        swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
        number += 1
        heapq.heappush(under_way, (now + delay, number, swapped))
    while under_way and under_way[0][0] <= time.monotonic():
        os.write(tun, heapq.heappop(under_way)[2])
