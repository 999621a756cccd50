/* The shim between stable-diffusion.cpp and Rust.
 *
 * Every engine entry point that can throw, assert or print is called through the one table below.
 * Promises:
 *   - no C++ exception leaves the shim;
 *   - a failed ggml assert on the calling thread becomes SDCPP_STATUS_ASSERT, except inside the
 *     kernels of graph compute (see callbacks.cpp), where the process ends as upstream has it;
 *   - the engine's process-global callbacks are installed once, and lead to the hooks of the call
 *     that runs on the same thread;
 *   - what the engine allocates is freed by the engine's allocator, through the table.
 */
#ifndef SDCPP_SHIM_H
#define SDCPP_SHIM_H

#include "ggml-backend.h"
#include "stable-diffusion.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a type or function below changes. */
#define SDCPP_SHIM_ABI 4

/* Macros, not enums: an enum is signed for MSVC and unsigned for others, and these are int32_t. */

/* How a call ended. */
#define SDCPP_STATUS_OK 0
#define SDCPP_STATUS_FAILED 1        /* the engine said NULL or false; see the captured lines */
#define SDCPP_STATUS_STOPPED 2       /* a hook asked to stop */
#define SDCPP_STATUS_OUT_OF_MEMORY 3 /* std::bad_alloc */
#define SDCPP_STATUS_ASSERT 4        /* GGML_ASSERT or GGML_ABORT on the calling thread */
#define SDCPP_STATUS_EXCEPTION 5     /* any other C++ exception */
#define SDCPP_STATUS_INVALID 6       /* a NULL or nonsense argument to the shim itself */

/* What the engine is busy with. Told by the engine's own log lines on the calling thread. */
#define SDCPP_STAGE_NONE 0
#define SDCPP_STAGE_OPENING 1 /* reading headers, choosing backends */
#define SDCPP_STAGE_LOADING 2 /* reading weights; steps are tensors */
#define SDCPP_STAGE_TEXT_ENCODING 3
#define SDCPP_STAGE_VAE_ENCODING 4
#define SDCPP_STAGE_SAMPLING 5 /* steps are sampling steps */
#define SDCPP_STAGE_VAE_DECODING 6
#define SDCPP_STAGE_UPSCALING 7
#define SDCPP_STAGE_CONVERTING 8
#define SDCPP_STAGE_PREPROCESSING 9

typedef struct sdcpp_progress {
    int32_t stage;  /* SDCPP_STAGE_* */
    int32_t step;   /* 0 when the stage begins */
    int32_t steps;  /* 0 while unknown */
    int32_t image;  /* 1-based picture of the batch while sampling, else 0 */
    int32_t images;
    int32_t tiled;  /* steps are tiles of the VAE or the upscaler */
    float seconds;  /* of the last step, as the engine measured it */
} sdcpp_progress;

/* All hooks run on the calling thread, and must not unwind into the shim. NULL hooks are skipped. */
typedef struct sdcpp_hooks {
    void* user;
    /* `text` is one line of `length` bytes without its newline; bytes may be cut UTF-8. `message` is
     * where the message begins, after the engine's "file.cpp:12 - ". */
    void (*log)(void* user, int32_t level, const char* text, size_t length, size_t message);
    /* Nonzero asks to stop; obeyed where the engine can be left (never while weights load). */
    int32_t (*progress)(void* user, const sdcpp_progress* event);
    /* Nonzero ends what the CPU is computing (vendor/fixes/stop-in-compute.toml). Asked after each
     * node of a graph, thousands of times a picture: be quick. */
    int32_t (*stop_wanted)(void* user);
    /* Whether a preview of the coming step is wanted; asked before each. NULL: of every one. */
    int32_t (*preview_wanted)(void* user, int32_t step);
    /* Frames are the engine's and end with the call. */
    void (*preview)(void* user, int32_t step, int32_t count, const sd_image_t* frames, int32_t noisy);
    int32_t preview_mode; /* enum preview_t */
    int32_t preview_denoised;
    int32_t preview_noisy;
} sdcpp_hooks;

/* Lines of engine threads that belong to no call. May be called from any thread. */
typedef void (*sdcpp_default_log_t)(int32_t level, const char* text, size_t length);

/* Zero it before a call; clear it with report_clear after. Strings are never NULL after a call. */
typedef struct sdcpp_report {
    int32_t status; /* SDCPP_STATUS_* */
    int32_t stage;  /* where it ended, SDCPP_STAGE_* */
    char* message;  /* of the exception or assert, or empty */
    char* errors;   /* the engine's ERROR lines of this call, newline-separated, or empty */
} sdcpp_report;

typedef struct sdcpp_device {
    const char* name;
    const char* description;
    int32_t type; /* enum ggml_backend_dev_type */
    uint64_t memory_free;
    uint64_t memory_total;
} sdcpp_device;

/* Functions that return int32_t and take a report return its status. */
typedef struct sdcpp_api {
    uint32_t abi;
    uint32_t size;
    /* Fingerprint of the headers that the shim was compiled with, the engine's and this one. */
    const char* headers;

    const char* (*version)(void);
    const char* (*commit)(void);
    const char* (*system_info)(void);
    int32_t (*physical_cores)(void);
    /* NULL for a value outside the enum. */
    const char* (*sample_method_name)(int32_t value);
    const char* (*scheduler_name)(int32_t value);
    const char* (*prediction_name)(int32_t value);
    const char* (*rng_type_name)(int32_t value);
    const char* (*type_name)(int32_t value);
    const char* (*preview_name)(int32_t value);
    const char* (*lora_apply_mode_name)(int32_t value);
    const char* (*hires_upscaler_name)(int32_t value);

    void (*set_default_log)(sdcpp_default_log_t log);
    void (*report_clear)(sdcpp_report* report);

    size_t (*device_count)(void);
    int32_t (*device_get)(size_t index, sdcpp_device* out, sdcpp_report* report);

    void (*context_params_init)(sd_ctx_params_t* params);
    void (*image_params_init)(sd_img_gen_params_t* params);
    void (*video_params_init)(sd_vid_gen_params_t* params);

    int32_t (*context_new)(const sd_ctx_params_t* params, const sdcpp_hooks* hooks, sd_ctx_t** out,
                           sdcpp_report* report);
    int32_t (*context_free)(sd_ctx_t* context, sdcpp_report* report);
    int32_t (*context_makes_images)(const sd_ctx_t* context);
    int32_t (*context_makes_video)(const sd_ctx_t* context);
    int32_t (*default_sample_method)(const sd_ctx_t* context);
    int32_t (*default_scheduler)(const sd_ctx_t* context, int32_t sample_method);

    /* `out` gets params->batch_count images. */
    int32_t (*generate_image)(sd_ctx_t* context, const sd_img_gen_params_t* params,
                              const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report);
    int32_t (*generate_video)(sd_ctx_t* context, const sd_vid_gen_params_t* params,
                              const sdcpp_hooks* hooks, sd_image_t** frames, int32_t* count,
                              sd_audio_t** audio, sdcpp_report* report);
    void (*images_free)(sd_image_t* images, int32_t count);
    void (*audio_free)(sd_audio_t* audio);

    int32_t (*upscaler_new)(const char* path, int32_t direct_convolution, int32_t threads,
                            int32_t tile_size, const char* backend, const char* params_backend,
                            const sdcpp_hooks* hooks, upscaler_ctx_t** out, sdcpp_report* report);
    int32_t (*upscaler_free)(upscaler_ctx_t* upscaler, sdcpp_report* report);
    int32_t (*upscaler_factor)(upscaler_ctx_t* upscaler);
    /* `out` is an array of one image, for images_free. */
    int32_t (*upscale)(upscaler_ctx_t* upscaler, const sd_image_t* image, uint32_t factor,
                       const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report);
    int32_t (*convert)(const char* input, const char* vae, const char* output, int32_t type,
                       const char* tensor_type_rules, int32_t convert_names,
                       const sdcpp_hooks* hooks, sdcpp_report* report);
    /* Whether the engine's regular expressions accept a pattern (tensor type rules). */
    int32_t (*pattern_check)(const char* pattern, sdcpp_report* report);
    /* Changes the pixels in place; three channels. */
    int32_t (*preprocess_canny)(sd_image_t* image, float high_threshold, float low_threshold,
                                float weak, float strong, int32_t inverse,
                                const sdcpp_hooks* hooks, sdcpp_report* report);
} sdcpp_api;

/* The one symbol: also what a separately loaded engine library exports. */
#if defined(_WIN32)
__declspec(dllexport)
#elif defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const sdcpp_api* sdcpp_shim_api(void);

#ifdef __cplusplus
}
#endif

#endif
