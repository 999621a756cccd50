// A host of a worker process, with SIGPIPE as programs have it: its worker is killed while it draws,
// and again between two pictures. Its argument is the worker's program; without, the library finds it.

#define _POSIX_C_SOURCE 200809L

#include "sdcpp.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            const sdcpp_error *error = sdcpp_last_error();                                         \
            fprintf(stderr, "%d: %s; %s: %s\n", __LINE__, #what, error->kind, error->message);     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// The child of this process, or 0.
static pid_t child(void) {
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;
    CHECK(processes != NULL);
    while ((entry = readdir(processes)) != NULL) {
        char path[300], name[100], state;
        int id, parent;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL) {
            continue;
        }
        if (fscanf(file, "%d (%99[^)]) %c %d", &id, name, &state, &parent) == 4 &&
            parent == (int)getpid() && state != 'Z') {
            found = (pid_t)id;
        }
        fclose(file);
    }
    closedir(processes);
    return found;
}

// How many threads of a process there are.
static int threads(pid_t process) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *tasks = opendir(path);
    int count = 0;
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        count += task->d_name[0] != '.';
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return count;
}

struct killer {
    int killed;
    int stops;
};

static int32_t kill_it(void *user, const sdcpp_progress *progress) {
    struct killer *killer = (struct killer *)user;
    if (progress->stage != SDCPP_STAGE_SAMPLING || progress->done == 0 || killer->killed) {
        return 0;
    }
    pid_t worker = child();
    killer->killed = worker > 0 && kill(worker, SIGKILL) == 0;
    // Its ends of the streams are closed when its last thread is gone, and only a zombie is left. To
    // be told to stop, it is written to.
    while (child() == worker || threads(worker) > 1) {
    }
    return killer->stops;
}

int main(int argc, char **argv) {
    struct sigaction action;
    CHECK(argc <= 2);
    // Whoever started this may have it ignored, and that is inherited.
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);

    sdcpp_model_config config;
    sdcpp_pool_options options;
    CHECK(sdcpp_model_config_init(&config, sizeof config) == SDCPP_OK);
    CHECK(sdcpp_pool_options_init(&options, sizeof options) == SDCPP_OK);
    config.model = getenv("MODEL");
    config.taesd = getenv("TAESD");
    config.threads = 1;
    options.models = 1;
    options.isolated = 1;
    options.failure_limit = 100;
    options.worker_program = argc == 2 ? argv[1] : NULL;
    sdcpp_pool *pool;
    CHECK(sdcpp_pool_open(&config, &options, &pool) == SDCPP_OK);

    struct killer killer = {0, 0};
    sdcpp_watch watch;
    sdcpp_image_request request;
    CHECK(sdcpp_watch_init(&watch, sizeof watch) == SDCPP_OK);
    CHECK(sdcpp_image_request_init(&request, sizeof request) == SDCPP_OK);
    watch.user = &killer;
    watch.on_progress = kill_it;
    request.prompt = "a red circle";
    request.width = request.height = 64;
    request.steps = 1000;
    sdcpp_result *result;
    for (int round = 0; round < (argc == 2 ? 2 : 1); round++) {
        killer.killed = killer.stops = 0;
        request.steps = 1000;
        CHECK(sdcpp_pool_generate(pool, &request, &watch, &result) == SDCPP_WORKER_CRASHED);
        CHECK(killer.killed && result == NULL);
        CHECK(strcmp(sdcpp_last_error()->stage, "sampling") == 0);
        CHECK(strstr(sdcpp_last_error()->message, "signal 9") != NULL);

        // Killed, and told to stop when it is gone.
        killer.killed = 0;
        killer.stops = 1;
        int32_t stopped = sdcpp_pool_generate(pool, &request, &watch, &result);
        CHECK(stopped == SDCPP_WORKER_CRASHED || stopped == SDCPP_CANCELLED);
        CHECK(killer.killed);

        // The next one gets a fresh worker.
        request.steps = 2;
        CHECK(sdcpp_pool_generate(pool, &request, NULL, &result) == SDCPP_OK);
        CHECK(sdcpp_result_free(result) == SDCPP_OK);

        // And one that dies while nobody uses it is replaced, or its loss is told.
        CHECK(kill(child(), SIGKILL) == 0);
        int32_t code = sdcpp_pool_generate(pool, &request, NULL, &result);
        CHECK(code == SDCPP_OK || code == SDCPP_WORKER_CRASHED);
        CHECK(sdcpp_result_free(result) == SDCPP_OK);
    }
    CHECK(sdcpp_pool_shutdown(pool, SDCPP_SHUTDOWN_FINISH, SDCPP_FOREVER) == SDCPP_OK);
    CHECK(sdcpp_pool_free(pool) == SDCPP_OK);
    CHECK(child() == 0);
    // It was left as it is by default.
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    return 0;
}
