/* The yardstick for media: a plain epoll relay, two connected UDP sockets a call, no latching, no rewriting.
 * usage: relay ADDRESS < lines of "port_a peer_port_a port_b peer_port_b"; prints "ready", runs until killed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 65536

static int other[MAX_FDS];

static int leg(const char *address, int port, int peer)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(peer)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    inet_pton(AF_INET, address, &own.sin_addr);
    inet_pton(AF_INET, address, &far.sin_addr);
    if (fd < 0 || fd >= MAX_FDS || bind(fd, (void *)&own, sizeof own) || connect(fd, (void *)&far, sizeof far)) {
        perror("leg");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[64];
    static char packet[2048];
    int poll = epoll_create1(0), port_a, peer_a, port_b, peer_b;

    if (argc != 2)
        return 2;
    while (scanf("%d %d %d %d", &port_a, &peer_a, &port_b, &peer_b) == 4) {
        int a = leg(argv[1], port_a, peer_a), b = leg(argv[1], port_b, peer_b);
        struct epoll_event event_a = {.events = EPOLLIN, .data.fd = a}, event_b = {.events = EPOLLIN, .data.fd = b};
        other[a] = b;
        other[b] = a;
        epoll_ctl(poll, EPOLL_CTL_ADD, a, &event_a);
        epoll_ctl(poll, EPOLL_CTL_ADD, b, &event_b);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            ssize_t size;
            while ((size = recv(events[i].data.fd, packet, sizeof packet, 0)) > 0)
                if (send(other[events[i].data.fd], packet, size, 0) < 0)
                    break;
        }
    }
}
