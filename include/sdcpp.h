/*
 * The C interface of sdcpp: pictures and videos by Stable Diffusion, FLUX and other models.
 *
 * Made by cbindgen of the sources in src/: do not edit. docs/c-api.md has examples and explains more.
 *
 * Results of functions. Functions return SDCPP_OK (0) or one of the codes below, and write what they
 * make through pointers named out, which hold NULL or 0 after a failure. sdcpp_last_error says what
 * failed, on what, and what to try.
 *
 * Structs with a size. Input structs are filled by their init function, which also sets `size`:
 *
 *     sdcpp_image_request request;
 *     sdcpp_image_request_init(&request, sizeof request);
 *     request.prompt = "a lighthouse at dusk";
 *
 * Structs that results are written into need their `size` set before the call. So programs keep
 * working with newer libraries, in which structs have grown.
 *
 * Ownership. What is passed in is copied, and stays the caller's. What open, new, submit, wait,
 * generate and upscale make is freed by the free function of its type, texts and bytes by sdcpp_free.
 * Freeing NULL does nothing. Handles are looked up, not followed: one that is NULL, was freed, or is
 * of another type is SDCPP_INVALID_HANDLE. A handle that is freed during a call of another thread
 * lives until that call ends.
 *
 * Threads. Every function may be called from any thread. A context or upscaler is used by one call at
 * a time, and others get SDCPP_BUSY at once; pools, jobs, results and cancels are for any number of
 * threads. Errors are kept for each thread. Do not use the library after fork in the child.
 *
 * Texts are UTF-8 and end with a NUL; paths on Unix are bytes. The library writes nothing to the
 * standard streams, and installs no signal handlers.
 */


#ifndef SDCPP_H
#define SDCPP_H

#include <stddef.h>
#include <stdint.h>

#ifndef SDCPP_API
#if defined(_WIN32)
#define SDCPP_API __declspec(dllimport)
#else
#define SDCPP_API
#endif
#endif


/// The call did what it was asked to.
#define SDCPP_OK 0

/// A pointer is NULL that must not be.
#define SDCPP_NULL_POINTER 1

/// A handle is NULL, was freed, is of another kind, or is none of this library's.
#define SDCPP_INVALID_HANDLE 2

/// The `size` of a struct is none that this library knows, or a field that it does not know is used.
#define SDCPP_UNSUPPORTED_STRUCT 3

/// A text is not UTF-8.
#define SDCPP_INVALID_UTF8 4

/// A JSON text cannot be read; the message names the key, or the line and column.
#define SDCPP_INVALID_JSON 5

/// Another call uses the object at this moment, or the caller would wait for itself.
#define SDCPP_BUSY 6

/// What was waited for has not happened in time. Nothing is lost: ask again.
#define SDCPP_PENDING 7

/// A bug of this library: its code panicked. The process goes on.
#define SDCPP_PANIC 8

/// A failure that has no number of its own; its `kind` has its name.
#define SDCPP_OTHER 9

/// A value is outside of what is allowed; the message names the field, the value and what is allowed.
#define SDCPP_INVALID_PARAMETER 100

/// A file does not exist.
#define SDCPP_FILE_NOT_FOUND 101

/// A file cannot be read.
#define SDCPP_FILE_UNREADABLE 102

/// A file is no model, or a damaged one.
#define SDCPP_NOT_A_MODEL 103

/// The files are no whole model.
#define SDCPP_MISSING_PARTS 104

/// A LoRA, ControlNet or embedding is not for this model.
#define SDCPP_DOES_NOT_FIT 105

/// The engine refused the model.
#define SDCPP_MODEL_LOAD 106

/// Memory ran out.
#define SDCPP_OUT_OF_MEMORY 107

/// The VAE failed.
#define SDCPP_VAE 108

/// The text encoder failed.
#define SDCPP_TEXT_ENCODER 109

/// Sampling failed.
#define SDCPP_SAMPLING 110

/// An assertion of the engine failed. The context cannot be used again: free it.
#define SDCPP_ENGINE_ASSERTION 111

/// The engine failed in another way.
#define SDCPP_ENGINE 112

/// The caller asked to stop. The context can be used again.
#define SDCPP_CANCELLED 113

/// The time limit passed. The context can be used again.
#define SDCPP_DEADLINE_EXCEEDED 114

/// This model or this build cannot do what was asked.
#define SDCPP_UNSUPPORTED 115

/// An earlier failure left the context in an unknown state: free it.
#define SDCPP_POISONED 116

/// A callback failed.
#define SDCPP_CALLBACK_PANICKED 117

/// Code of a pool failed.
#define SDCPP_PANICKED 118

/// A file cannot be written, or a thread not be started.
#define SDCPP_IO 119

/// Pixels cannot be encoded or decoded.
#define SDCPP_IMAGE_CODEC 120

/// No model became free in time.
#define SDCPP_ACQUIRE_TIMEOUT 121

/// Too many wait already. The operation was not queued.
#define SDCPP_QUEUE_FULL 122

/// The pool is shut down.
#define SDCPP_SHUT_DOWN 123

/// The model failed too often in a row; the pool tries again later.
#define SDCPP_CIRCUIT_OPEN 124

/// A worker process ended in the middle of an operation. Only this operation is lost.
#define SDCPP_WORKER_CRASHED 125

/// A worker process cannot be started.
#define SDCPP_WORKER_START 126

/// By estimate there is not enough memory. The engine was not called.
#define SDCPP_INSUFFICIENT_MEMORY 127

/// The engine does not fit this library.
#define SDCPP_ENGINE_TABLE 128

/// There is no engine library of that name where it was looked for.
#define SDCPP_LIBRARY_NOT_FOUND 129

/// An engine library cannot be used; the message has the reason.
#define SDCPP_LIBRARY 130

/// The driver or the device of a backend is missing, or the engine was built without it.
#define SDCPP_BACKEND_UNAVAILABLE 131

/// Changes with every incompatible change of this interface, as the library's soname does.
#define SDCPP_ABI_MAJOR 0

/// Grows with every addition to this interface.
#define SDCPP_ABI_MINOR 1

/// No lines.
#define SDCPP_LOG_OFF 0

/// Failures.
#define SDCPP_LOG_ERROR 1

/// And what is worth a look.
#define SDCPP_LOG_WARN 2

/// And what is being done.
#define SDCPP_LOG_INFO 3

/// And details, prompts included.
#define SDCPP_LOG_DEBUG 4

/// And everything else.
#define SDCPP_LOG_TRACE 5

/// Something that has no name here yet.
#define SDCPP_STAGE_OTHER 0

/// Weights are being read: `done` and `total` count tensors.
#define SDCPP_STAGE_LOADING 1

/// The prompt or an input picture is being encoded: `done` and `total` count tiles, 0 without.
#define SDCPP_STAGE_ENCODING 2

/// The diffusion model runs: `done` and `total` count steps.
#define SDCPP_STAGE_SAMPLING 3

/// The picture is being decoded: `done` and `total` count tiles, 0 without.
#define SDCPP_STAGE_DECODING 4

/// A picture is being enlarged: `done` and `total` count tiles, 0 without.
#define SDCPP_STAGE_UPSCALING 5

/// A file is being converted: `done` and `total` count tensors.
#define SDCPP_STAGE_CONVERTING 6

/// What runs may finish; what waits ends with `SDCPP_SHUT_DOWN`.
#define SDCPP_SHUTDOWN_FINISH 0

/// What runs is cancelled; both end with `SDCPP_SHUT_DOWN`.
#define SDCPP_SHUTDOWN_CANCEL 1

/// As a number of milliseconds: without end.
#define SDCPP_FOREVER UINT64_MAX

/// Operations are let through.
#define SDCPP_BREAKER_CLOSED 0

/// Nothing is tried for a while, after too many failures in a row.
#define SDCPP_BREAKER_OPEN 1

/// One operation is let through, whose end decides.
#define SDCPP_BREAKER_HALF_OPEN 2

/// It waits for a model.
#define SDCPP_JOB_QUEUED 0

/// It has a model, or opens one.
#define SDCPP_JOB_RUNNING 1

/// Its result or its error is there.
#define SDCPP_JOB_DONE 2

/// Stops operations that were given it in their `sdcpp_watch`. For any number of operations and
/// threads.
typedef struct sdcpp_cancel sdcpp_cancel;

/// A model in this process, used by one call at a time, from any thread.
typedef struct sdcpp_context sdcpp_context;

/// An operation that a pool was asked for, by `sdcpp_pool_submit`. For any number of threads.
typedef struct sdcpp_job sdcpp_job;

/// A bounded number of models, opened when they are first needed, and a queue before them. For any
/// number of threads.
typedef struct sdcpp_pool sdcpp_pool;

/// Pictures, or the frames and the sound of a video. Does not need the context or pool it came from.
/// It never changes, and can be used by any number of threads.
typedef struct sdcpp_result sdcpp_result;

/// An ESRGAN model, used by one call at a time, from any thread.
typedef struct sdcpp_upscaler sdcpp_upscaler;

/// What went wrong. Texts are UTF-8, never NULL, and empty where there is nothing to say.
typedef struct sdcpp_error {
    /// Bytes of this struct, as the library has it.
    size_t size;
    /// The name of the code, as in `out_of_memory`; `ok` if nothing went wrong.
    const char *kind;
    /// What was being done, as in `vae_decoding`; empty where that is not known.
    const char *stage;
    /// What failed, and on what.
    const char *message;
    /// What the user can try.
    const char *advice;
    /// What the engine logged as errors during the call, a line each.
    const char *engine_lines;
    /// One of the `SDCPP_` codes; what the function returned.
    int32_t code;
    /// 0.
    uint32_t reserved;
} sdcpp_error;

/// Gets one line: one of the `SDCPP_LOG_` levels; where it comes from, as in `sdcpp::engine`; and the
/// line in UTF-8, without a line end. Both texts are valid during the callback.
typedef void (*sdcpp_on_log)(void *user, int32_t level, const char *target, const char *line);

/// A picture of 8 bits a channel, rows from the top, red first. This struct never changes.
typedef struct sdcpp_pixels {
    /// The first pixel of the first row.
    const uint8_t *data;
    /// Bytes at `data`: `height` rows; the last one may end with its last pixel.
    size_t length;
    /// Bytes from one row to the next; 0: without a gap, `width` x `channels`.
    size_t stride;
    /// Pixels in a row, 1 to 16384.
    uint32_t width;
    /// Rows, 1 to 16384.
    uint32_t height;
    /// 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA).
    uint32_t channels;
    /// Must be 0.
    uint32_t reserved;
} sdcpp_pixels;

/// What an operation has come to. The library's; valid during the callback.
typedef struct sdcpp_progress {
    /// Bytes of this struct, as the library has it.
    size_t size;
    /// The name of the stage, as in `sampling`.
    const char *stage_name;
    /// How long the last step took, in seconds; 0 outside of sampling.
    double step_seconds;
    /// One of the `SDCPP_STAGE_` numbers.
    int32_t stage;
    /// How much of the stage is done.
    uint32_t done;
    /// How much there is in all; 0 where that is not told.
    uint32_t total;
    /// The picture of the batch that is being sampled, from 1; 0 in other stages.
    uint32_t image;
    /// Pictures in the batch; 0 in other stages.
    uint32_t images;
    /// 0.
    uint32_t reserved;
} sdcpp_progress;

/// Is told of progress. Anything but 0 stops the operation, which then fails with `SDCPP_CANCELLED`.
typedef int32_t (*sdcpp_on_progress)(void *user, const struct sdcpp_progress *progress);

/// What a latent looks like so far. The library's; valid during the callback.
typedef struct sdcpp_preview {
    /// Bytes of this struct, as the library has it.
    size_t size;
    /// The picture, or the frames of a video: RGB without gaps.
    const struct sdcpp_pixels *frames;
    /// How many there are; one at least.
    size_t frame_count;
    /// The sampling step, from 1.
    uint32_t step;
    /// 1 if it has its noise still, else 0.
    int32_t noisy;
} sdcpp_preview;

/// Is shown a preview.
typedef void (*sdcpp_on_preview)(void *user, const struct sdcpp_preview *preview);

/// How one operation is followed and stopped. It is copied by the call it is given to.
///
/// Callbacks are called one at a time, on a thread of the library as a rule, and never after the
/// operation has ended: its function has returned, `sdcpp_job_wait` has given its result or error,
/// or `sdcpp_job_free` has returned. They must return by themselves: neither a C++ exception nor
/// `longjmp` may leave them. The operation waits while they run. They may call this library;
/// what would wait for their own operation or its pool is refused with `SDCPP_BUSY`.
typedef struct sdcpp_watch {
    /// `sizeof(sdcpp_watch)`.
    size_t size;
    /// The callbacks' first argument. It may be used on another thread.
    void *user;
    /// Is told of progress; NULL: nobody.
    sdcpp_on_progress on_progress;
    /// Is shown previews; NULL: nobody, and none are made.
    sdcpp_on_preview on_preview;
    /// `proj` (rough, small, next to no cost), `tae` (needs a `taesd`) or `vae` (slow). NULL: `proj`.
    const char *preview_kind;
    /// Stops the operation when it is cancelled; NULL: nothing. It may be freed meanwhile.
    const struct sdcpp_cancel *cancel;
    /// Stops the operation with `SDCPP_DEADLINE_EXCEEDED` after this many milliseconds, in a pool
    /// with the time it waits; 0: never. Default 0.
    uint64_t time_limit_ms;
    /// A preview at every so many steps; 0 counts as 1. Default 1.
    uint32_t preview_every;
    /// And at least so many milliseconds after the one before. Default 0.
    uint32_t preview_interval_ms;
    /// 1: previews with the noise that is still in them. Default 0.
    int32_t preview_noisy;
    /// Must be 0.
    uint32_t reserved;
} sdcpp_watch;

/// What a model is opened from: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_model_config_init`. Texts and paths are copied by the call it is given to.
/// Paths are bytes as the system has them on Unix, and UTF-8 on Windows; relative ones start at the
/// current folder.
typedef struct sdcpp_model_config {
    /// `sizeof(sdcpp_model_config)`.
    size_t size;
    /// A JSON object with any of the keys of `sdcpp::ModelConfig`, as in
    /// `{"vae_conv_direct":true}`; NULL: none.
    const char *json;
    /// A file with everything in it, or a folder in diffusers layout. NULL, here and below: not set.
    const char *model;
    /// The diffusion model alone, in place of `model`.
    const char *diffusion_model;
    /// The second diffusion model of Wan 2.2, for high noise.
    const char *high_noise_diffusion_model;
    /// The VAE; the one in the model file otherwise.
    const char *vae;
    /// A small decoder in place of the VAE.
    const char *taesd;
    /// The CLIP-L text encoder.
    const char *clip_l;
    /// The CLIP-G text encoder.
    const char *clip_g;
    /// The CLIP image encoder.
    const char *clip_vision;
    /// The T5-XXL text encoder.
    const char *t5xxl;
    /// The language model of families that use one as text encoder.
    const char *llm;
    /// A ControlNet.
    const char *control_net;
    /// The folder that `<lora:name:multiplier>` in prompts is looked up in.
    const char *lora_folder;
    /// Converts the weights at loading: `f16`, `q8_0`, `q4_0` and so on. NULL: as in the file.
    const char *weight_type;
    /// Devices to compute on: `cpu`, `cuda0`, or by part as in `vulkan0,te=cpu`.
    const char *backend;
    /// Devices to keep weights on, in the same form; also `disk`.
    const char *params_backend;
    /// CPU threads; 0: the physical cores, in a pool shared out. Default 0.
    uint32_t threads;
    /// Device memory to use, in GiB; negative: what is free less that much; NAN: not set.
    /// Default NAN.
    float max_vram;
    /// Maps weights from the file instead of reading them. Switches are 1 (on), 0 (off), and
    /// -1: not set, which is the default of all.
    int32_t mmap;
    /// Flash attention in all parts.
    int32_t flash_attention;
    /// Flash attention in the diffusion model only.
    int32_t diffusion_flash_attention;
    /// Uses `taesd` for previews only.
    int32_t taesd_preview_only;
    /// Refuses what by estimate does not fit into memory. On unless set.
    int32_t memory_check;
    /// Allows pickle checkpoints (`.ckpt`), which can crash the process if hostile.
    int32_t trust_pickle;
} sdcpp_model_config;

/// What picture to draw: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_image_request_init`. Texts and pixels are copied by the call it is given to.
typedef struct sdcpp_image_request {
    /// `sizeof(sdcpp_image_request)`.
    size_t size;
    /// A JSON object with any of the keys of `sdcpp::ImageRequest`, as in
    /// `{"clip_skip":2,"hires":{"scale":2}}`; pictures in it are base64 of PNG or JPEG. NULL: none.
    const char *json;
    /// What to draw. NULL, here and below: not set.
    const char *prompt;
    /// What to avoid.
    const char *negative_prompt;
    /// The sampler, as in `euler_a` or `DPM++ 2M`; `sdcpp_names_json` has all.
    const char *sampler;
    /// The scheduler, as in `karras`.
    const char *scheduler;
    /// The seed of the first picture; each next one has one more. Negative: not set, which is
    /// drawn at random. Default -1.
    int64_t seed;
    /// Width in pixels, 1 to 16384; 0, here and below: not set.
    uint32_t width;
    /// Height in pixels.
    uint32_t height;
    /// Sampling steps, 1 to 1000.
    uint32_t steps;
    /// How many pictures, 1 to 1024.
    uint32_t batch;
    /// How strongly the prompt rules, -100 to 100; NAN, here and below: not set.
    float cfg_scale;
    /// Guidance of distilled models (FLUX), 0 to 100.
    float distilled_guidance;
    /// How much of `init_image` may change, 0 to 1.
    float strength;
    /// How strongly a ControlNet counts, 0 to 10.
    float control_strength;
    /// A picture to start from.
    const struct sdcpp_pixels *init_image;
    /// Where `init_image` may change: white repaints, black keeps. Of the same size as it.
    const struct sdcpp_pixels *mask;
    /// The picture that a ControlNet follows.
    const struct sdcpp_pixels *control_image;
    /// Pictures that the model edits or takes things from.
    const struct sdcpp_pixels *reference_images;
    /// How many there are, 0 to 16; 0: not set.
    size_t reference_image_count;
    /// Decodes in tiles, for less memory: 1 on, 0 off, -1 not set.
    int32_t vae_tiling;
    /// Decodes again in tiles if memory runs out: 1 on, 0 off, -1 not set.
    int32_t vae_tiling_fallback;
} sdcpp_image_request;

/// What video to make: `json` first, then the fields that are set, which override it.
///
/// Fill it by `sdcpp_video_request_init`. Texts and pixels are copied by the call it is given to.
typedef struct sdcpp_video_request {
    /// `sizeof(sdcpp_video_request)`.
    size_t size;
    /// A JSON object with any of the keys of `sdcpp::VideoRequest`; pictures in it are base64 of PNG
    /// or JPEG. NULL: none.
    const char *json;
    /// What to show. NULL, here and below: not set.
    const char *prompt;
    /// What to avoid.
    const char *negative_prompt;
    /// The sampler; `sdcpp_names_json` has all.
    const char *sampler;
    /// The scheduler.
    const char *scheduler;
    /// The seed. Negative: not set, which is drawn at random. Default -1.
    int64_t seed;
    /// Width in pixels, 1 to 16384; 0, here and below: not set.
    uint32_t width;
    /// Height in pixels.
    uint32_t height;
    /// Sampling steps, 1 to 1000.
    uint32_t steps;
    /// Frames, 1 to 4096.
    uint32_t frames;
    /// Frames a second, 1 to 240.
    uint32_t fps;
    /// How strongly the prompt rules, -100 to 100; NAN, here and below: not set.
    float cfg_scale;
    /// Guidance of distilled models, 0 to 100.
    float distilled_guidance;
    /// How strongly LTX keeps to `init_image` and `end_image`, 0 to 1.
    float conditioning_strength;
    /// The first frame.
    const struct sdcpp_pixels *init_image;
    /// The last frame.
    const struct sdcpp_pixels *end_image;
    /// Frames of a control video, for VACE models.
    const struct sdcpp_pixels *control_frames;
    /// How many there are, at most as many as the video has; 0: not set.
    size_t control_frame_count;
    /// Decodes in tiles, for less memory: 1 on, 0 off, -1 not set.
    int32_t vae_tiling;
    /// Decodes again in tiles if memory runs out: 1 on, 0 off, -1 not set.
    int32_t vae_tiling_fallback;
} sdcpp_video_request;

/// One picture or frame of a result. What it points to is the result's, and valid until that is
/// freed.
typedef struct sdcpp_image {
    /// `sizeof(sdcpp_image)`; set it before the call.
    size_t size;
    /// The pixels: 8 bits a channel, rows from the top without gaps, red first.
    const uint8_t *data;
    /// `width` x `height` x `channels`.
    size_t length;
    /// How it was made, in words that PNG files have under "parameters". UTF-8; may be empty.
    const char *parameters;
    /// The seed it was drawn with.
    int64_t seed;
    /// Width in pixels.
    uint32_t width;
    /// Height in pixels.
    uint32_t height;
    /// 3 (RGB), or 4 (RGBA) from the models that draw transparency.
    uint32_t channels;
    /// 0.
    uint32_t reserved;
} sdcpp_image;

/// The sound of a video. What it points to is the result's, and valid until that is freed.
typedef struct sdcpp_audio {
    /// `sizeof(sdcpp_audio)`; set it before the call.
    size_t size;
    /// Samples of all channels in turn, -1 to 1.
    const float *samples;
    /// How many there are, of all channels; 0: there is no sound.
    size_t sample_count;
    /// Samples a second of each channel.
    uint32_t sample_rate;
    /// Channels.
    uint32_t channels;
} sdcpp_audio;

/// How large a pool is, how patient, and where its models are. Fill it by `sdcpp_pool_options_init`.
typedef struct sdcpp_pool_options {
    /// `sizeof(sdcpp_pool_options)`.
    size_t size;
    /// Where `isolated`: the program `sdcpp-worker`. NULL: the one in the folder of this library, in
    /// `../libexec` or `../bin` from there, or in the folder of this program.
    const char *worker_program;
    /// Where `isolated`: bytes of memory that a worker may have, at least 256 MiB; Linux only. 0: no
    /// limit. Default 0.
    uint64_t worker_memory_limit;
    /// Where `isolated`: milliseconds a worker may take to start. Default 10000.
    uint64_t worker_start_ms;
    /// Where `isolated`: milliseconds a worker may take to stop when it is told to; then it is
    /// killed. Default 5000.
    uint64_t worker_grace_ms;
    /// Where `isolated`: milliseconds a worker may be silent before it is killed, at least 2000.
    /// Default 10000.
    uint64_t worker_silence_ms;
    /// Time limit in milliseconds of operations whose watch has none, waiting included; 0: none.
    /// Default 0.
    uint64_t time_limit_ms;
    /// Milliseconds in which nothing is tried after too many failures in a row. Default 30000.
    uint64_t cool_down_ms;
    /// Failures in a row that are too many, 1 to 1000. Default 3.
    uint32_t failure_limit;
    /// Models at most, and so operations at once, 1 to 1024. Default 2.
    uint32_t models;
    /// Operations that may wait, 0 to 65536. Default 64.
    uint32_t queue_limit;
    /// 1: each model in a worker process of its own, whose crash is an error of one operation; 0: in
    /// this process. Default 0.
    int32_t isolated;
} sdcpp_pool_options;

/// What a pool is doing now, and what it has done since it was made.
typedef struct sdcpp_pool_metrics {
    /// `sizeof(sdcpp_pool_metrics)`; set it before the call.
    size_t size;
    /// Models at most.
    uint64_t models;
    /// Operations that wait now.
    uint64_t queued;
    /// Models in use now, those that are being opened included.
    uint64_t in_use;
    /// Models that are open and free now.
    uint64_t idle;
    /// Operations that got a model so far.
    uint64_t granted;
    /// Models opened so far.
    uint64_t opened;
    /// Models dropped so far because they could not be used again.
    uint64_t replaced;
    /// Models that could not be opened, loaded or used again.
    uint64_t failures;
    /// Operations taken on.
    uint64_t submitted;
    /// Of these: came to their end.
    uint64_t done;
    /// Of these: failed.
    uint64_t failed;
    /// Of these: were cancelled, or ended by shutting down.
    uint64_t cancelled;
    /// Of these: took longer than their limit.
    uint64_t timed_out;
    /// Operations refused because too many waited.
    uint64_t refused_queue_full;
    /// Operations refused after too many failures in a row.
    uint64_t refused_circuit_open;
    /// Seconds that operations have waited for a model, in all.
    double waited_seconds;
    /// The longest of these waits.
    double longest_wait_seconds;
    /// Where `breaker` is `SDCPP_BREAKER_OPEN`: seconds until the next attempt.
    double retry_seconds;
    /// One of the `SDCPP_BREAKER_` numbers.
    int32_t breaker;
    /// 0.
    uint32_t reserved;
} sdcpp_pool_metrics;

/// What an upscaler is opened from. Fill it by `sdcpp_upscaler_config_init`.
typedef struct sdcpp_upscaler_config {
    /// `sizeof(sdcpp_upscaler_config)`.
    size_t size;
    /// An ESRGAN file: safetensors or GGUF. Must be set.
    const char *model;
    /// The device to compute on; NULL: the engine's choice.
    const char *backend;
    /// The device to keep the weights on; NULL: where they are used.
    const char *params_backend;
    /// CPU threads; 0: the physical cores. Default 0.
    uint32_t threads;
    /// Side of the tiles it works in, in pixels of the input, 16 to 4096; 0: the whole picture at
    /// once. Default 128.
    uint32_t tile_size;
    /// Direct convolution, for less memory: 1 on, 0 off, -1 where it computes on the processor, which is
    /// faster so too. Default -1.
    int32_t conv_direct;
    /// 1: allows pickle files (`.pth`), which can crash the process if hostile. Default 0.
    int32_t trust_pickle;
} sdcpp_upscaler_config;

/// What to convert. Fill it by `sdcpp_convert_options_init`.
typedef struct sdcpp_convert_options {
    /// `sizeof(sdcpp_convert_options)`.
    size_t size;
    /// The file to read. Must be set.
    const char *input;
    /// The file to write, `.gguf` or `.safetensors`; an existing one is replaced once the new one is
    /// whole. Must be set.
    const char *output;
    /// A VAE to put in place of the model's own; NULL: none.
    const char *vae;
    /// The type of the weights, as in `q8_0`; NULL: as in the input.
    const char *weight_type;
    /// Types by tensor name, as `pattern=type,...`; NULL: none.
    const char *tensor_type_rules;
    /// 1: renames tensors to the engine's own names. Default 0.
    int32_t convert_names;
    /// 1: allows pickle checkpoints as input, which can crash the process if hostile. Default 0.
    int32_t trust_pickle;
} sdcpp_convert_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// What went wrong in the last call that this thread made into this library; code `SDCPP_OK` if it
/// succeeded. Never NULL.
///
/// The struct and its texts are the library's. They stay until this thread's next call of any other
/// function that returns a code, and can be read by this thread only until then.
SDCPP_API const struct sdcpp_error *sdcpp_last_error(void);

/// Frees memory that this library gave out: texts and bytes that functions write into their `out`,
/// but not what belongs to a result. NULL is nothing to free.
///
/// Errors: `SDCPP_INVALID_HANDLE` for memory that is not this library's, or was freed already and is
/// not lent again since; it is not touched.
SDCPP_API
int32_t sdcpp_free(void *memory);

/// Chooses the engine that everything in this process runs on. Call it before anything else; without
/// it the engine in this library is used or, if it has none or `SDCPP_LIBRARY` is set, as by `auto`.
///
/// `engine` is `auto` (the best backend that has a driver, a device and an engine, in this library or
/// in one that is found), the name of a backend (`cuda`, `hip`, `sycl`, `metal`, `vulkan`, `cpu`), or
/// the path of an engine library, in which a backend's name would be `./cuda`. Libraries are looked for
/// in `SDCPP_LIBRARY`, beside this library and in `sdcpp/` there, beside the program, and where the
/// system looks.
///
/// Errors: `SDCPP_BUSY` if an engine is in use already; `SDCPP_BACKEND_UNAVAILABLE`,
/// `SDCPP_LIBRARY_NOT_FOUND`, `SDCPP_LIBRARY` with the reason; `SDCPP_UNSUPPORTED` if this library was
/// built without run-time loading.
SDCPP_API
int32_t sdcpp_engine_choose(const char *engine);

/// Tells which engine is used, as a JSON object: `version`, `commit`, `system_info`, `library` (its path,
/// where it was opened at run time); and in `backends` the `name` of each, `usable`, and the `reason`
/// where it is not. Free `*out` by `sdcpp_free`.
///
/// Chooses the engine, as the first call that needs one does.
SDCPP_API
int32_t sdcpp_engine_json(char **out);

/// Version of this library, as in `1.2.3`. A static text.
SDCPP_API const char *sdcpp_version(void);

/// Version of the interface that the loaded library has: `SDCPP_ABI_MAJOR << 16 | SDCPP_ABI_MINOR` of
/// its header. A program works with a library of the same major number and of any minor number from
/// its own up.
SDCPP_API
uint32_t sdcpp_abi_version(void);

/// The engine's commit and what it was built for, in one line. `*out` is a static text.
///
/// Errors: `SDCPP_UNSUPPORTED` if the engine was built for another processor.
SDCPP_API int32_t sdcpp_system_info(const char **out);

/// Lists the devices that this build can compute on, as a JSON array: `name` (for `backend`),
/// `description`, `kind` (`cpu`, `gpu`, `integrated_gpu`, `accelerator`, `other`), `memory_free` and
/// `memory_total` in bytes. Free `*out` by `sdcpp_free`.
SDCPP_API
int32_t sdcpp_devices_json(char **out);

/// Lists the names that texts in structs may have, as JSON arrays: `samplers`, `schedulers`,
/// `weight_types`, `preview_kinds`, `png_compressions`, `animation_formats`. Each sampler, scheduler
/// and weight type has a `name`, and a `label` as A1111 writes it. Free `*out` by `sdcpp_free`.
SDCPP_API
int32_t sdcpp_names_json(char **out);

/// Sends the log lines of this library, of the engine and of worker processes to `callback`, up to
/// `level`, in place of an earlier callback. With `SDCPP_LOG_OFF` or a NULL callback they go nowhere,
/// as at first. When it has returned, the earlier callback is called no more.
///
/// The callback is called on any thread, also on several at once, and must return by itself. Lines
/// that come of what it does itself are left out. It cannot wait for a pool or shut one down, which
/// may be waiting for it, nor need the engine while that is being chosen: `SDCPP_BUSY`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`; `SDCPP_BUSY` in the callback itself; `SDCPP_UNSUPPORTED` in a
/// program in Rust that has set up `tracing` already.
SDCPP_API
int32_t sdcpp_set_log(int32_t level,
                      sdcpp_on_log callback,
                      void *user);

/// Reads a PNG or JPEG file, for the pictures of a request: RGB, or RGBA where it has transparency.
/// `out->data` is the caller's, and freed by `sdcpp_free`.
///
/// Errors: `SDCPP_FILE_NOT_FOUND`, `SDCPP_FILE_UNREADABLE`, `SDCPP_IMAGE_CODEC`.
SDCPP_API int32_t sdcpp_picture_read(const char *path, struct sdcpp_pixels *out);

/// Makes one that is not cancelled. Free it by `sdcpp_cancel_free`.
SDCPP_API int32_t sdcpp_cancel_new(struct sdcpp_cancel **out);

/// Stops all operations that have it, now and later. Returns at once; the operations end a little
/// later with `SDCPP_CANCELLED`. Not for signal handlers: it takes locks.
SDCPP_API int32_t sdcpp_cancel_now(const struct sdcpp_cancel *cancel);

/// Frees it. Operations that have it go on, and can no longer be stopped by it.
SDCPP_API int32_t sdcpp_cancel_free(struct sdcpp_cancel *cancel);

/// Fills `watch` with defaults: nothing is followed, nothing stops. `size` is `sizeof(sdcpp_watch)`.
SDCPP_API
int32_t sdcpp_watch_init(struct sdcpp_watch *watch,
                         size_t size);

/// Fills `config` with defaults: no field is set. `size` is `sizeof(sdcpp_model_config)`.
SDCPP_API int32_t sdcpp_model_config_init(struct sdcpp_model_config *config, size_t size);

/// Fills `request` with defaults: no field is set. `size` is `sizeof(sdcpp_image_request)`.
SDCPP_API int32_t sdcpp_image_request_init(struct sdcpp_image_request *request, size_t size);

/// Fills `request` with defaults: no field is set. `size` is `sizeof(sdcpp_video_request)`.
SDCPP_API int32_t sdcpp_video_request_init(struct sdcpp_video_request *request, size_t size);

/// How many pictures or frames there are; one at least.
SDCPP_API int32_t sdcpp_result_count(const struct sdcpp_result *result, size_t *out);

/// Tells of the picture or frame `index`, from 0, without copying it. Set `out->size` before.
///
/// Errors: `SDCPP_INVALID_PARAMETER` if there is no such picture.
SDCPP_API
int32_t sdcpp_result_image(const struct sdcpp_result *result,
                           size_t index,
                           struct sdcpp_image *out);

/// Encodes picture `index` as PNG, with the text of how it was made. `compression` is `fast`,
/// `balanced` or `high`; NULL: `fast`. Free `*out` by `sdcpp_free`.
SDCPP_API
int32_t sdcpp_result_png(const struct sdcpp_result *result,
                         size_t index,
                         const char *compression,
                         uint8_t **out,
                         size_t *out_length);

/// Saves picture `index` as a PNG file, with the text of how it was made. The file appears when it is
/// whole, over an existing one.
///
/// Errors: `SDCPP_IO`; `SDCPP_INVALID_PARAMETER` for a name that ends in anything but `.png`.
SDCPP_API
int32_t sdcpp_result_save(const struct sdcpp_result *result,
                          size_t index,
                          const char *path);

/// Saves all pictures or frames in one animation, in the format that the name ends in: `.gif`,
/// `.apng`, `.avi` (with the sound), `.webp` in builds that have it, or `.png` for numbered files.
/// `fps` is frames a second; 0: the video's own.
SDCPP_API
int32_t sdcpp_result_save_animation(const struct sdcpp_result *result,
                                    double fps,
                                    const char *path);

/// Tells of the sound, without copying it. Set `out->size` before.
///
/// Errors: `SDCPP_UNSUPPORTED` if there is none.
SDCPP_API int32_t sdcpp_result_audio(const struct sdcpp_result *result, struct sdcpp_audio *out);

/// Saves the sound as a WAV file of 16 bits.
///
/// Errors: `SDCPP_UNSUPPORTED` if there is none; `SDCPP_IO`.
SDCPP_API int32_t sdcpp_result_save_audio(const struct sdcpp_result *result, const char *path);

/// Tells of the whole as JSON: `kind`, `count`, `width`, `height`, `channels`, `seeds`, `seconds` (by
/// phase), `warnings` (texts), and of videos `fps` and `audio`, which are null otherwise. Free `*out`
/// by `sdcpp_free`.
SDCPP_API
int32_t sdcpp_result_info_json(const struct sdcpp_result *result,
                               char **out);

/// Frees a result, and the memory that `sdcpp_image` and `sdcpp_audio` of it point to.
SDCPP_API int32_t sdcpp_result_free(struct sdcpp_result *result);

/// Opens a model. `watch` may be NULL. Loading cannot be left half-way: a stop takes effect when it
/// has ended. Free `*out` by `sdcpp_context_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_FILE_NOT_FOUND`, `SDCPP_NOT_A_MODEL`,
/// `SDCPP_MISSING_PARTS`, `SDCPP_MODEL_LOAD`, `SDCPP_OUT_OF_MEMORY`, `SDCPP_INSUFFICIENT_MEMORY` and
/// others.
SDCPP_API
int32_t sdcpp_context_open(const struct sdcpp_model_config *config,
                           const struct sdcpp_watch *watch,
                           struct sdcpp_context **out);

/// Draws. `watch` may be NULL. Free `*out` by `sdcpp_result_free`.
///
/// The callbacks of `watch` are called on a thread of the library, while this one waits.
///
/// Errors: `SDCPP_BUSY` at once if another call uses the context, also one that this is a callback
/// of; `SDCPP_INVALID_PARAMETER`; `SDCPP_CANCELLED` and `SDCPP_DEADLINE_EXCEEDED`, after which the
/// context can be used again; `SDCPP_OUT_OF_MEMORY`; `SDCPP_POISONED` and others.
SDCPP_API
int32_t sdcpp_context_generate(const struct sdcpp_context *context,
                               const struct sdcpp_image_request *request,
                               const struct sdcpp_watch *watch,
                               struct sdcpp_result **out);

/// Makes a video, as `sdcpp_context_generate` makes pictures.
SDCPP_API
int32_t sdcpp_context_generate_video(const struct sdcpp_context *context,
                                     const struct sdcpp_video_request *request,
                                     const struct sdcpp_watch *watch,
                                     struct sdcpp_result **out);

/// Tells of the model as JSON: `family`, `makes_images`, `makes_video`, `default_sampler`,
/// `load_seconds`. Also while the context is busy. Free `*out` by `sdcpp_free`.
SDCPP_API int32_t sdcpp_context_info_json(const struct sdcpp_context *context, char **out);

/// Frees the model. A call that uses it meanwhile goes on, and the model is freed after it. Results
/// stay.
SDCPP_API int32_t sdcpp_context_free(struct sdcpp_context *context);

/// Fills `options` with defaults. `size` is `sizeof(sdcpp_pool_options)`.
SDCPP_API int32_t sdcpp_pool_options_init(struct sdcpp_pool_options *options, size_t size);

/// Makes a pool. `options` may be NULL for the defaults. Values and files are checked now; models are
/// opened when they are first needed. Free `*out` by `sdcpp_pool_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_FILE_NOT_FOUND`, `SDCPP_NOT_A_MODEL`,
/// `SDCPP_WORKER_START` and others.
SDCPP_API
int32_t sdcpp_pool_open(const struct sdcpp_model_config *config,
                        const struct sdcpp_pool_options *options,
                        struct sdcpp_pool **out);

/// Draws, with a model of the pool, when its turn comes. `watch` may be NULL; its callbacks are
/// called on a thread of the library. Free `*out` by `sdcpp_result_free`.
///
/// Errors: as `sdcpp_context_generate`, and `SDCPP_QUEUE_FULL`, `SDCPP_CIRCUIT_OPEN`,
/// `SDCPP_SHUT_DOWN`, `SDCPP_WORKER_CRASHED`, and what opening a model fails with.
SDCPP_API
int32_t sdcpp_pool_generate(const struct sdcpp_pool *pool,
                            const struct sdcpp_image_request *request,
                            const struct sdcpp_watch *watch,
                            struct sdcpp_result **out);

/// Makes a video, as `sdcpp_pool_generate` makes pictures.
SDCPP_API
int32_t sdcpp_pool_generate_video(const struct sdcpp_pool *pool,
                                  const struct sdcpp_video_request *request,
                                  const struct sdcpp_watch *watch,
                                  struct sdcpp_result **out);

/// Puts a request in the queue and returns at once. `watch` may be NULL; its time limit counts from
/// now, and its callbacks and user data must stay until the job has ended or was freed. Free `*out`
/// by `sdcpp_job_free`.
///
/// Errors: `SDCPP_INVALID_PARAMETER`, `SDCPP_QUEUE_FULL`, `SDCPP_CIRCUIT_OPEN`, `SDCPP_SHUT_DOWN`. All
/// others are the job's.
SDCPP_API
int32_t sdcpp_pool_submit(const struct sdcpp_pool *pool,
                          const struct sdcpp_image_request *request,
                          const struct sdcpp_watch *watch,
                          struct sdcpp_job **out);

/// Puts the request of a video in the queue, as `sdcpp_pool_submit`.
SDCPP_API
int32_t sdcpp_pool_submit_video(const struct sdcpp_pool *pool,
                                const struct sdcpp_video_request *request,
                                const struct sdcpp_watch *watch,
                                struct sdcpp_job **out);

/// Ends the pool: what waits and what comes later fails with `SDCPP_SHUT_DOWN`, models are freed.
/// Waits until nothing runs any more, `limit_ms` at most. `how` is `SDCPP_SHUTDOWN_FINISH` or
/// `SDCPP_SHUTDOWN_CANCEL`.
///
/// Errors: `SDCPP_PENDING` if something runs still: call it again; `SDCPP_BUSY` in a callback of the
/// pool.
SDCPP_API
int32_t sdcpp_pool_shutdown(const struct sdcpp_pool *pool,
                            int32_t how,
                            uint64_t limit_ms);

/// Frees a pool, without waiting: jobs that were submitted go on, and the models are freed after
/// them. Call `sdcpp_pool_shutdown` first to end it in order.
SDCPP_API int32_t sdcpp_pool_free(struct sdcpp_pool *pool);

/// Tells what the pool is doing. Set `out->size` before.
SDCPP_API
int32_t sdcpp_pool_metrics_get(const struct sdcpp_pool *pool,
                               struct sdcpp_pool_metrics *out);

/// What the job is doing: one of the `SDCPP_JOB_` numbers, and how many operations wait before it.
/// `out_position` may be NULL.
SDCPP_API
int32_t sdcpp_job_status(const struct sdcpp_job *job,
                         int32_t *out_status,
                         size_t *out_position);

/// Waits for the job's end, `timeout_ms` at most (0: looks only; `SDCPP_FOREVER`), and gives its
/// result, which is the caller's from then on: free it by `sdcpp_result_free`. A job that failed
/// makes this fail with its error. Both are given once.
///
/// Errors: `SDCPP_PENDING` if it has not ended yet; `SDCPP_UNSUPPORTED` if the result was taken
/// before; `SDCPP_BUSY` in a callback of its pool; those of `sdcpp_pool_generate`.
SDCPP_API
int32_t sdcpp_job_wait(const struct sdcpp_job *job,
                       uint64_t timeout_ms,
                       struct sdcpp_result **out);

/// Stops the job: at once if it waits, else a little later. It ends with `SDCPP_CANCELLED`.
SDCPP_API int32_t sdcpp_job_cancel(const struct sdcpp_job *job);

/// Frees a job; one that has not ended is cancelled, and its result is lost. None of its callbacks is
/// called any more; waits for one that runs on another thread, but not for the job's end. Called from a
/// callback it does not wait, so that one on another thread may come to its end a little later.
SDCPP_API
int32_t sdcpp_job_free(struct sdcpp_job *job);

/// Fills `config` with defaults. `size` is `sizeof(sdcpp_upscaler_config)`.
SDCPP_API int32_t sdcpp_upscaler_config_init(struct sdcpp_upscaler_config *config, size_t size);

/// Opens an upscaler. `watch` may be NULL. Free `*out` by `sdcpp_upscaler_free`.
SDCPP_API
int32_t sdcpp_upscaler_open(const struct sdcpp_upscaler_config *config,
                            const struct sdcpp_watch *watch,
                            struct sdcpp_upscaler **out);

/// How many times as wide and high its pictures are.
SDCPP_API int32_t sdcpp_upscaler_factor(const struct sdcpp_upscaler *upscaler, uint32_t *out);

/// Enlarges a picture; transparent parts are laid on white. `watch` may be NULL. Free `*out` by
/// `sdcpp_result_free`.
///
/// Errors: `SDCPP_BUSY` at once if another call uses the upscaler; `SDCPP_INVALID_PARAMETER`,
/// `SDCPP_CANCELLED`, `SDCPP_OUT_OF_MEMORY` and others.
SDCPP_API
int32_t sdcpp_upscaler_upscale(const struct sdcpp_upscaler *upscaler,
                               const struct sdcpp_pixels *picture,
                               const struct sdcpp_watch *watch,
                               struct sdcpp_result **out);

/// Frees an upscaler. A call that uses it meanwhile goes on. Results stay.
SDCPP_API int32_t sdcpp_upscaler_free(struct sdcpp_upscaler *upscaler);

/// Fills `options` with defaults. `size` is `sizeof(sdcpp_convert_options)`.
SDCPP_API int32_t sdcpp_convert_options_init(struct sdcpp_convert_options *options, size_t size);

/// Writes a model file in another format or with other weight types, and tells its size in bytes.
/// `watch` may be NULL, and `out_bytes` too. A stop takes effect when the engine returns, and then
/// nothing is written.
SDCPP_API
int32_t sdcpp_convert(const struct sdcpp_convert_options *options,
                      const struct sdcpp_watch *watch,
                      uint64_t *out_bytes);

/// Tells what a model file is, from its header, as JSON: `path`, `format`, `bytes`, `architecture`,
/// `config_field` (where it belongs in `sdcpp_model_config`, or null), `makes_images`, `makes_video`,
/// `parameters`, `tensors`, `components`, `weight_types`, `missing_parts` (each with the `field` that
/// takes it), `reason` (why it cannot be used, or null) and `metadata`. Free `*out` by `sdcpp_free`.
///
/// Errors: `SDCPP_FILE_NOT_FOUND`, `SDCPP_FILE_UNREADABLE`, `SDCPP_NOT_A_MODEL`.
SDCPP_API
int32_t sdcpp_model_inspect_json(const char *path,
                                 char **out);

/// Estimates how much memory a model and a picture need, without loading anything, as JSON: `peak`
/// (bytes, if everything is on one device), `weights` by part, the compute buffers
/// `text_encoding`, `vae_encode`, `sampling`, `control_net` and `vae_decode`, `pixels`, `overhead`,
/// `is_rough`, and `devices` with what each of them needs. Free `*out` by `sdcpp_free`.
///
/// Errors: those of reading the files; `SDCPP_UNSUPPORTED` for pickle checkpoints.
SDCPP_API
int32_t sdcpp_memory_estimate_json(const struct sdcpp_model_config *config,
                                   const struct sdcpp_image_request *request,
                                   char **out);

/// Estimates a video, as `sdcpp_memory_estimate_json` does a picture.
SDCPP_API
int32_t sdcpp_memory_estimate_video_json(const struct sdcpp_model_config *config,
                                         const struct sdcpp_video_request *request,
                                         char **out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SDCPP_H */
