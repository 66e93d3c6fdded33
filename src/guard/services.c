#include "services.h"
#include <stddef.h>

/* Databases, caches, queues, container engines and remote consoles: an HTTP request can do harm there. */
/* clang-format off */
static const struct {
    uint16_t port;
    const char *name;
} services[] = {
    {1080, "a SOCKS proxy"}, {1099, "Java RMI"}, {1433, "SQL Server"}, {1434, "SQL Server"}, {1521, "Oracle Database"},
    {1527, "Derby"}, {1723, "PPTP"}, {1883, "MQTT"}, {2049, "NFS"}, {2181, "ZooKeeper"}, {2375, "Docker"},
    {2376, "Docker"}, {2377, "Docker Swarm"}, {2379, "etcd"}, {2380, "etcd"}, {2483, "Oracle Database"},
    {2484, "Oracle Database"}, {3050, "Firebird"}, {3128, "an HTTP proxy"}, {3260, "iSCSI"}, {3268, "LDAP"},
    {3269, "LDAP"}, {3306, "MySQL"}, {3389, "Remote Desktop"}, {4001, "etcd"}, {4222, "NATS"}, {4369, "Erlang's epmd"},
    {4505, "Salt"}, {4506, "Salt"}, {4646, "Nomad"}, {4647, "Nomad"}, {4648, "Nomad"}, {5432, "PostgreSQL"},
    {5433, "PostgreSQL"}, {5439, "Redshift"}, {5601, "Kibana"}, {5671, "AMQP"}, {5672, "AMQP"}, {5900, "VNC"},
    {5901, "VNC"}, {5984, "CouchDB"}, {5985, "WinRM"}, {5986, "WinRM"}, {6000, "X11"}, {6379, "Redis"}, {6380, "Redis"},
    {6432, "PgBouncer"}, {6443, "Kubernetes"}, {6650, "Pulsar"}, {7000, "Cassandra"}, {7001, "Cassandra"},
    {7199, "Cassandra"}, {7473, "Neo4j"}, {7474, "Neo4j"}, {7687, "Neo4j"}, {7946, "Docker Swarm"}, {8009, "AJP"},
    {8086, "InfluxDB"}, {8091, "Couchbase"}, {8200, "Vault"}, {8300, "Consul"}, {8301, "Consul"}, {8302, "Consul"},
    {8500, "Consul"}, {8501, "Consul"}, {8529, "ArangoDB"}, {8600, "Consul"}, {8883, "MQTT"}, {8983, "Solr"},
    {9042, "Cassandra"}, {9092, "Kafka"}, {9093, "Kafka"}, {9142, "Cassandra"}, {9160, "Cassandra"},
    {9200, "Elasticsearch"}, {9300, "Elasticsearch"}, {9418, "git"}, {10250, "the kubelet"}, {10255, "the kubelet"},
    {10256, "kube-proxy"}, {10257, "Kubernetes"}, {10259, "Kubernetes"}, {11210, "Couchbase"}, {11211, "memcached"},
    {15672, "RabbitMQ"}, {16379, "Redis"}, {16509, "libvirt"}, {16514, "libvirt"}, {25672, "RabbitMQ"},
    {26257, "CockroachDB"}, {26379, "Redis"}, {27017, "MongoDB"}, {27018, "MongoDB"}, {27019, "MongoDB"},
    {28015, "RethinkDB"}, {28017, "MongoDB"}, {33060, "MySQL"}, {50000, "Db2"}, {50070, "Hadoop"}, {61613, "ActiveMQ"},
    {61616, "ActiveMQ"},
};
/* clang-format on */

const char *service_on_port(uint16_t port)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (services[i].port == port)
            return services[i].name;
    return NULL;
}
