/* RTP load: every leg sends a 172-byte PCMU packet each 20 ms, evenly spread; the other leg of its call measures.
 * usage: rtpload ADDRESS SECONDS WARM_UP_SECONDS < lines of "own_port relay_port", two lines a call.
 * prints "sent received p50_us p99_us": packets sent after the warm-up, those that arrived, added delay between the
 * sender's clock and the kernel's receive timestamp. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_LEGS 16384
#define SIZE 172
#define STEP_NS 500000L /* packets due within the same half millisecond leave together */
#define PERIOD_NS 20000000L

static int fds[MAX_LEGS], legs, poll_fd;
static int64_t counted_from, counted_to;
static uint32_t *delays_us, delays, delays_max;
static volatile int stop;

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void read_one(int fd)
{
    char packet[2048], control[128];
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    for (;;) {
        message.msg_controllen = sizeof control;
        ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
        if (size < 0)
            return;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int64_t sent, came;
        struct timespec stamp;
        if (size < SIZE || header == NULL)
            continue; /* not one of ours: comfort noise, a prompt, RTCP */
        memcpy(&sent, packet + 12, sizeof sent);
        memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
        came = stamp.tv_sec * 1000000000L + stamp.tv_nsec;
        if (sent >= counted_from && sent < counted_to && delays < delays_max)
            delays_us[delays++] = came > sent ? (came - sent) / 1000 : 0;
    }
}

static void *receive(void *unused)
{
    struct epoll_event events[256];
    while (!stop) {
        int ready = epoll_wait(poll_fd, events, 256, 50);
        for (int i = 0; i < ready; i++)
            read_one(events[i].data.fd);
    }
    return unused;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int own_port, relay_port, on = 1;
    if (argc != 4)
        return 2;
    double seconds = atof(argv[2]), warm_up = atof(argv[3]);
    poll_fd = epoll_create1(0);
    while (legs < MAX_LEGS && scanf("%d %d", &own_port, &relay_port) == 2) {
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(own_port)};
        struct sockaddr_in relay = {.sin_family = AF_INET, .sin_port = htons(relay_port)};
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        inet_pton(AF_INET, argv[1], &own.sin_addr);
        inet_pton(AF_INET, argv[1], &relay.sin_addr);
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        if (bind(fd, (void *)&own, sizeof own) || connect(fd, (void *)&relay, sizeof relay)) {
            perror("leg");
            return 1;
        }
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
        fds[legs++] = fd;
    }
    delays_max = (uint32_t)(seconds * 50 * legs) + 1000;
    delays_us = malloc(delays_max * sizeof *delays_us);
    counted_from = now_ns(CLOCK_REALTIME) + (int64_t)(warm_up * 1e9);
    counted_to = counted_from + (int64_t)((seconds - warm_up) * 1e9);

    pthread_t receiver;
    pthread_create(&receiver, NULL, receive, NULL);

    uint8_t packet[SIZE] = {0x80, 0};
    int64_t start = now_ns(CLOCK_MONOTONIC), end = start + (int64_t)(seconds * 1e9), packets = 0;
    uint32_t sent_counted = 0;
    for (int64_t at = start; at < end; at += STEP_NS) {
        struct timespec until = {at / 1000000000L, at % 1000000000L};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t due = (at - start) * legs / PERIOD_NS;
        for (; packets <= due; packets++) {
            int leg = packets % legs;
            uint32_t number = packets / legs;
            uint16_t sequence = htons(number);
            uint32_t timestamp = htonl(number * 160), ssrc = htonl(leg + 1);
            memcpy(packet + 2, &sequence, 2);
            memcpy(packet + 4, &timestamp, 4);
            memcpy(packet + 8, &ssrc, 4);
            int64_t sent = now_ns(CLOCK_REALTIME);
            memcpy(packet + 12, &sent, 8);
            send(fds[leg], packet, SIZE, MSG_DONTWAIT);
            sent_counted += sent >= counted_from && sent < counted_to;
        }
    }
    struct timespec rest = {0, 300000000L};
    nanosleep(&rest, NULL);
    stop = 1;
    pthread_join(receiver, NULL);
    qsort(delays_us, delays, sizeof *delays_us, compare);
    printf("%u %u %u %u\n", sent_counted, delays, delays ? delays_us[delays / 2] : 0, delays ? delays_us[delays * 99L / 100] : 0);
    return 0;
}
