// Draws a picture and saves it as PNG. A bar on the standard error shows how far it is; Ctrl-C stops.
//
//     scripts/install.sh --prefix ~/.local
//     export PKG_CONFIG_PATH=~/.local/lib/pkgconfig LD_LIBRARY_PATH=~/.local/lib
//     cc examples/c/draw.c $(pkg-config --cflags --libs sdcpp) -pthread -o draw
//     cd examples/models
//     ../../draw -m demo_q8_0.gguf -a demo_tae.gguf -W 128 -H 128 -s 12 -c 3 -S euler "a red circle"

#define _POSIX_C_SOURCE 200809L

#include <sdcpp.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: draw -m MODEL [options] PROMPT\n"
    "  -m FILE     the model: .gguf or .safetensors\n"
    "  -v FILE     a VAE, in place of the model's own\n"
    "  -a FILE     a small decoder (TAESD), in place of the VAE\n"
    "  -n TEXT     what to avoid\n"
    "  -W PIXELS   width, 512 if not set\n"
    "  -H PIXELS   height, 512 if not set\n"
    "  -s STEPS    sampling steps\n"
    "  -c SCALE    how strongly the prompt rules\n"
    "  -S NAME     sampler, as in euler_a\n"
    "  -r SEED     seed, drawn at random if not set\n"
    "  -t THREADS  threads, the physical cores if not set\n"
    "  -o FILE     the PNG file to write, out.png if not set\n";

// Codes of programs that were stopped by SIGINT.
enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

// Whether the bar is on the line that comes next.
static bool bar_is_shown = false;

static void end_bar(void) {
    if (bar_is_shown) {
        fputc('\n', stderr);
    }
    bar_is_shown = false;
}

static int32_t show_progress(void *user, const sdcpp_progress *progress) {
    (void)user;
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    uint64_t filled = 0;
    if (progress->total > 0) {
        filled = (uint64_t)progress->done * WIDTH / progress->total;
        filled = filled > WIDTH ? WIDTH : filled;
    }
    memset(bar, ' ', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%-10s [%s] %" PRIu32 "/%" PRIu32 "  ", progress->stage_name, bar,
            progress->done, progress->total);
    bar_is_shown = true;
    return 0;
}

// sdcpp_cancel_now takes locks, so it is not for signal handlers: this thread waits for the signal, which
// is blocked in all others. The first Ctrl-C stops the drawing, a second one the program.
static void *wait_for_interrupt(void *cancel) {
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    int signal;
    if (sigwait(&interrupt, &signal) == 0) {
        sdcpp_cancel_now(cancel);
    }
    if (sigwait(&interrupt, &signal) == 0) {
        _exit(EXIT_INTERRUPTED);
    }
    return NULL;
}

static bool follow_interrupts(sdcpp_cancel *cancel) {
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_t thread;
    // Threads that are started later, the library's among them, inherit the mask.
    if (pthread_sigmask(SIG_BLOCK, &interrupt, NULL) != 0 ||
        pthread_create(&thread, NULL, wait_for_interrupt, cancel) != 0) {
        fputs("draw: the thread for Ctrl-C cannot be started\n", stderr);
        return false;
    }
    pthread_detach(thread);
    return true;
}

static int fail(void) {
    const sdcpp_error *error = sdcpp_last_error();
    end_bar();
    if (error->code == SDCPP_CANCELLED) {
        fputs("draw: stopped\n", stderr);
        return EXIT_INTERRUPTED;
    }
    fprintf(stderr, "draw: %s (%s)\n", error->message, error->kind);
    if (error->advice[0] != '\0') {
        fprintf(stderr, "  try: %s\n", error->advice);
    }
    if (error->engine_lines[0] != '\0') {
        fprintf(stderr, "%s\n", error->engine_lines);
    }
    return EXIT_FAILURE;
}

static int64_t whole(int option, const char *text, int64_t most) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 0 || number > most) {
        fprintf(stderr, "draw: -%c is %s, and must be a whole number from 0 to %" PRId64 "\n", option,
                text, most);
        exit(EXIT_USAGE);
    }
    return number;
}

static float decimal(int option, const char *text) {
    char *end;
    float number = strtof(text, &end);
    if (end == text || *end != '\0') {
        fprintf(stderr, "draw: -%c is %s, and must be a number\n", option, text);
        exit(EXIT_USAGE);
    }
    return number;
}

static int draw(const sdcpp_model_config *config, const sdcpp_image_request *request,
                const char *output) {
    sdcpp_cancel *cancel = NULL;
    sdcpp_context *context = NULL;
    sdcpp_result *result = NULL;
    sdcpp_image image = {.size = sizeof image};
    sdcpp_watch watch;
    sdcpp_watch_init(&watch, sizeof watch);
    watch.on_progress = show_progress;

    int code = EXIT_SUCCESS;
    if (sdcpp_cancel_new(&cancel) != SDCPP_OK) {
        return fail();
    }
    watch.cancel = cancel;
    if (!follow_interrupts(cancel)) {
        code = EXIT_FAILURE;
    } else if (sdcpp_context_open(config, &watch, &context) != SDCPP_OK ||
               sdcpp_context_generate(context, request, &watch, &result) != SDCPP_OK ||
               sdcpp_result_save(result, 0, output) != SDCPP_OK ||
               sdcpp_result_image(result, 0, &image) != SDCPP_OK) {
        code = fail();
    } else {
        end_bar();
        printf("%s: %" PRIu32 "x%" PRIu32 ", seed %" PRId64 "\n", output, image.width, image.height,
               image.seed);
    }
    sdcpp_result_free(result);
    sdcpp_context_free(context);
    sdcpp_cancel_free(cancel);
    return code;
}

int main(int argc, char **argv) {
    const char *output = "out.png";
    sdcpp_model_config config;
    sdcpp_image_request request;
    if (sdcpp_model_config_init(&config, sizeof config) != SDCPP_OK ||
        sdcpp_image_request_init(&request, sizeof request) != SDCPP_OK) {
        return fail(); // an older library, which does not know these structs
    }
    int option;
    while ((option = getopt(argc, argv, "m:v:a:n:W:H:s:c:S:r:t:o:")) != -1) {
        switch (option) {
        case 'm': config.model = optarg; break;
        case 'v': config.vae = optarg; break;
        case 'a': config.taesd = optarg; break;
        case 'n': request.negative_prompt = optarg; break;
        case 'W': request.width = (uint32_t)whole(option, optarg, UINT32_MAX); break;
        case 'H': request.height = (uint32_t)whole(option, optarg, UINT32_MAX); break;
        case 's': request.steps = (uint32_t)whole(option, optarg, UINT32_MAX); break;
        case 'c': request.cfg_scale = decimal(option, optarg); break;
        case 'S': request.sampler = optarg; break;
        case 'r': request.seed = whole(option, optarg, INT64_MAX); break;
        case 't': config.threads = (uint32_t)whole(option, optarg, UINT32_MAX); break;
        case 'o': output = optarg; break;
        default: fputs(usage, stderr); return EXIT_USAGE;
        }
    }
    if (config.model == NULL || optind != argc - 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    request.prompt = argv[optind];
    return draw(&config, &request, output);
}
