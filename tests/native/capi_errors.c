// What a C program sees of the library: typed errors, progress that stops, freed handles. Each check
// says where it failed.

#include "sdcpp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            const sdcpp_error *error = sdcpp_last_error();                                         \
            fprintf(stderr, "%d: %s; %s: %s\n", __LINE__, #what, error->kind, error->message);     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int32_t stop_at_second_step(void *user, const sdcpp_progress *progress) {
    int *steps = (int *)user;
    if (progress->stage == SDCPP_STAGE_SAMPLING && progress->done > 0) {
        *steps += 1;
    }
    return *steps == 2;
}

int main(void) {
    CHECK(sdcpp_abi_version() >> 16 == SDCPP_ABI_MAJOR);
    CHECK(strcmp(sdcpp_last_error()->kind, "ok") == 0);

    sdcpp_model_config config;
    CHECK(sdcpp_model_config_init(&config, sizeof config) == SDCPP_OK);
    sdcpp_context *context = (sdcpp_context *)&config;
    config.model = "/no/such/model.gguf";
    CHECK(sdcpp_context_open(&config, NULL, &context) == SDCPP_FILE_NOT_FOUND);
    CHECK(context == NULL);
    CHECK(sdcpp_last_error()->code == SDCPP_FILE_NOT_FOUND);
    CHECK(strstr(sdcpp_last_error()->message, "/no/such/model.gguf") != NULL);

    config.model = getenv("MODEL");
    config.taesd = getenv("TAESD");
    config.threads = 1;
    CHECK(sdcpp_context_open(&config, NULL, &context) == SDCPP_OK);

    sdcpp_image_request request;
    CHECK(sdcpp_image_request_init(&request, sizeof request) == SDCPP_OK);
    request.prompt = "a red circle";
    request.width = request.height = 64;
    request.steps = 5000;
    sdcpp_result *result;
    CHECK(sdcpp_context_generate(context, &request, NULL, &result) == SDCPP_INVALID_PARAMETER);
    CHECK(strncmp(sdcpp_last_error()->message, "steps is 5000", 13) == 0);

    int steps = 0;
    sdcpp_watch watch;
    CHECK(sdcpp_watch_init(&watch, sizeof watch) == SDCPP_OK);
    watch.user = &steps;
    watch.on_progress = stop_at_second_step;
    request.steps = 1000;
    CHECK(sdcpp_context_generate(context, &request, &watch, &result) == SDCPP_CANCELLED);
    CHECK(steps == 2 && result == NULL);

    request.steps = 2;
    CHECK(sdcpp_context_generate(context, &request, NULL, &result) == SDCPP_OK);
    sdcpp_image image;
    memset(&image, 0, sizeof image);
    CHECK(sdcpp_result_image(result, 0, &image) == SDCPP_UNSUPPORTED_STRUCT);
    image.size = sizeof image;
    CHECK(sdcpp_result_image(result, 0, &image) == SDCPP_OK);
    CHECK(image.width == 64 && image.height == 64 && image.length == 64 * 64 * 3);

    CHECK(sdcpp_context_free(context) == SDCPP_OK);
    CHECK(sdcpp_context_free(context) == SDCPP_INVALID_HANDLE);
    CHECK(sdcpp_context_generate(context, &request, NULL, &result) == SDCPP_INVALID_HANDLE);
    return 0;
}
