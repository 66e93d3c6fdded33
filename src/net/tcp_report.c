#include "tcp_report.h"
#include <linux/tcp.h> /* its tcp_info has more members than that of netinet/tcp.h; they exclude each other */
#include <netinet/in.h>
#include <sys/socket.h>

struct tcp_report tcp_report_of(int fd)
{
    struct tcp_info info = {0}; /* an older kernel fills less of it */
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return (struct tcp_report){0};
    /* Our SYN and our FIN, if sent, count as an acknowledged byte each. */
    uint64_t acknowledged = info.tcpi_bytes_acked,
             written = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes + 1;
    if (written < acknowledged)
        written = acknowledged;
    return (struct tcp_report){.round_trip_ms = info.tcpi_min_rtt / 1000,
                               .heard_before_ms = info.tcpi_last_ack_recv,
                               .unacknowledged_len = (size_t)(written - acknowledged)};
}
