/* Libraries that are no engine, or not this version's: which is told by -DKIND. Laid out as the
 * beginning of `sdcpp_api`. */
#include <stddef.h>
#include <stdint.h>

struct api {
    uint32_t abi;
    uint32_t size;
    const char* headers;
    void* functions[FUNCTIONS];
};

#if defined(NO_FUNCTION)
int something_else(void) { return 1; }
#elif defined(NO_TABLE)
const void* sdcpp_shim_api(void) { return NULL; }
#elif defined(MISSING)
/* All functions but one. None of them is ever called. */
static void function(void) {}

const void* sdcpp_shim_api(void) {
    static struct api api = {ABI, SIZE, HEADERS, {NULL}};
    for (int i = 0; i < FUNCTIONS; i++) {
        api.functions[i] = i == MISSING ? NULL : (void*)function;
    }
    return &api;
}
#else
const void* sdcpp_shim_api(void) {
    static const struct api api = {ABI, SIZE, HEADERS, {NULL}};
    return &api;
}
#endif
