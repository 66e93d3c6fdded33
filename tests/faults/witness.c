/*
 * witness: prints a line for each TCP connection that anybody in this network namespace begins, whether or
 * not somebody answers: "syn ADDRESS PORT", as the packet leaves. Begins with "ready".
 *
 * A SYN to port 9 is a bookmark: "mark DROPPED", which says how many packets went unseen since the last.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER_BYTES = 64 << 20, PACKET_LEN_MAX = 256, PORT_OF_MARKS = 9 };

struct syn {
    char address[INET6_ADDRSTRLEN];
    int port;
};

/* False: no TCP, or not the first packet of a connection. */
static bool read_syn(const unsigned char *packet, size_t len, struct syn *syn)
{
    struct tcphdr tcp;
    size_t head_len;
    int family = packet[0] >> 4 == 6 ? AF_INET6 : AF_INET;
    const void *destination;

    if (family == AF_INET) {
        head_len = (size_t)(packet[0] & 15) * 4;
        destination = packet + offsetof(struct iphdr, daddr);
        if (packet[offsetof(struct iphdr, protocol)] != IPPROTO_TCP)
            return false;
    } else {
        head_len = sizeof(struct ip6_hdr);
        destination = packet + offsetof(struct ip6_hdr, ip6_dst);
        if (packet[offsetof(struct ip6_hdr, ip6_nxt)] != IPPROTO_TCP)
            return false;
    }
    if (len < head_len + sizeof tcp)
        return false;
    memcpy(&tcp, packet + head_len, sizeof tcp);
    inet_ntop(family, destination, syn->address, sizeof syn->address);
    syn->port = ntohs(tcp.dest);
    return tcp.syn && !tcp.ack;
}

static unsigned dropped(int fd)
{
    struct tpacket_stats stats = {0};
    socklen_t len = sizeof stats;
    getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
    return stats.tp_drops;
}

int main(void)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), size = BUFFER_BYTES;
    unsigned char packet[PACKET_LEN_MAX];
    struct syn syn;

    if (fd < 0) {
        perror("socket");
        return EXIT_FAILURE;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (;;) {
        struct sockaddr_ll from = {0};
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_len);
        if (len < 0)
            return EXIT_FAILURE;
        /* Over loopback each packet is seen twice. */
        bool ip = from.sll_protocol == htons(ETH_P_IP) || from.sll_protocol == htons(ETH_P_IPV6);
        if (!ip || from.sll_pkttype != PACKET_OUTGOING || len < (ssize_t)sizeof(struct iphdr) ||
            !read_syn(packet, (size_t)len, &syn))
            continue;
        if (syn.port == PORT_OF_MARKS)
            printf("mark %u\n", dropped(fd));
        else
            printf("syn %s %d\n", syn.address, syn.port);
    }
}
