// Draws by the C library, which is opened at run time.

#include "sdcpp.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FUNCTIONS(F)                                                                               \
    F(last_error)                                                                                  \
    F(model_config_init)                                                                           \
    F(image_request_init)                                                                          \
    F(context_open)                                                                                \
    F(context_generate)                                                                            \
    F(context_free)                                                                                \
    F(result_image)                                                                                \
    F(result_free)

typedef struct {
#define FIELD(name) __typeof__(sdcpp_##name) *name;
    FUNCTIONS(FIELD)
    sdcpp_context *context;
} coexist_drawer;

static void tell(char *message, size_t size, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(message, size, format, values);
    va_end(values);
}

static void tell_error(const coexist_drawer *drawer, char *message, size_t size) {
    const sdcpp_error *error = drawer->last_error();
    tell(message, size, "%s: %s", error->kind, error->message);
}

void coexist_drawer_close(coexist_drawer *drawer) {
    if (drawer->context != NULL) {
        drawer->context_free(drawer->context);
    }
    free(drawer);
}

// Opens library and model. NULL: `message` tells why.
coexist_drawer *coexist_drawer_open(const char *library, int global, const char *model,
                                    const char *taesd, char *message, size_t size) {
    void *handle = dlopen(library, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (handle == NULL) {
        tell(message, size, "%s", dlerror());
        return NULL;
    }
    coexist_drawer *drawer = calloc(1, sizeof *drawer);
    if (drawer == NULL) {
        tell(message, size, "no memory");
        return NULL;
    }
#define LOOK_UP(name)                                                                              \
    drawer->name = (__typeof__(sdcpp_##name) *)dlsym(handle, "sdcpp_" #name);                      \
    if (drawer->name == NULL) {                                                                    \
        tell(message, size, "%s", dlerror());                                                      \
        free(drawer);                                                                              \
        return NULL;                                                                               \
    }
    FUNCTIONS(LOOK_UP)
    sdcpp_model_config config;
    int32_t code = drawer->model_config_init(&config, sizeof config);
    if (code == SDCPP_OK) {
        config.model = model;
        config.taesd = taesd;
        config.threads = 1;
        code = drawer->context_open(&config, NULL, &drawer->context);
    }
    if (code != SDCPP_OK) {
        tell_error(drawer, message, size);
        coexist_drawer_close(drawer);
        return NULL;
    }
    return drawer;
}

// Draws the request in `json`, and hands the pixels to `take`. Not 0: `message` tells why.
int coexist_drawer_draw(const coexist_drawer *drawer, const char *json,
                        void (*take)(void *user, const uint8_t *pixels, size_t length), void *user,
                        char *message, size_t size) {
    sdcpp_image_request request;
    sdcpp_result *result = NULL;
    sdcpp_image image = {.size = sizeof image};
    int32_t code = drawer->image_request_init(&request, sizeof request);
    if (code == SDCPP_OK) {
        request.json = json;
        code = drawer->context_generate(drawer->context, &request, NULL, &result);
    }
    if (code == SDCPP_OK) {
        code = drawer->result_image(result, 0, &image);
    }
    if (code == SDCPP_OK) {
        take(user, image.data, image.length);
    } else {
        tell_error(drawer, message, size);
    }
    if (result != NULL) {
        drawer->result_free(result);
    }
    return code;
}
