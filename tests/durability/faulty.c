/* Lets calls on files named "faulty" fail, as often as FAULT_RATE says. Loaded before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
    static pid_t seeded;
    const char *rate = getenv("FAULT_RATE");
    char link[64], path[4096];
    if (rate == NULL || atof(rate) <= 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strstr(path, "faulty") == NULL) return 0;
    if (seeded != getpid()) srand48((seeded = getpid()));
    return drand48() < atof(rate);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (!fails(fd)) return real(fd, data, size, at);
    if (drand48() < 0.3) return real(fd, data, size / 2, at);
    errno = drand48() < 0.5 ? EIO : ENOSPC;
    return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (!fails(fd)) return real(fd, data, size);
    errno = drand48() < 0.5 ? EIO : ENOSPC;
    return -1;
}

int fsync(int fd) {
    REAL(fsync);
    if (!fails(fd)) return real(fd);
    errno = EIO;
    return -1;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (!fails(fd)) return real(fd);
    errno = EIO;
    return -1;
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    if (!fails(fd)) return real(fd, size);
    errno = EIO;
    return -1;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
