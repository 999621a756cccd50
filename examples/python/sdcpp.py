"""The C library from Python, by ctypes alone: a start for an application's own binding.

It has what draw.py needs. The structs are those of include/sdcpp.h, field by field; options that have no
field are given as JSON.
"""

import ctypes
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p

OK, CANCELLED = 0, 113
SHUTDOWN_CANCEL, FOREVER = 1, 2**64 - 1


class _Error(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_char_p),
        ("stage", c_char_p),
        ("message", c_char_p),
        ("advice", c_char_p),
        ("engine_lines", c_char_p),
        ("code", c_int32),
        ("reserved", c_uint32),
    ]


class _Progress(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("stage_name", c_char_p),
        ("step_seconds", c_double),
        ("stage", c_int32),
        ("done", c_uint32),
        ("total", c_uint32),
        ("image", c_uint32),
        ("images", c_uint32),
        ("reserved", c_uint32),
    ]


_OnProgress = ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(_Progress))


class _Watch(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("user", c_void_p),
        ("on_progress", _OnProgress),
        ("on_preview", c_void_p),
        ("preview_kind", c_char_p),
        ("cancel", c_void_p),
        ("time_limit_ms", c_uint64),
        ("preview_every", c_uint32),
        ("preview_interval_ms", c_uint32),
        ("preview_noisy", c_int32),
        ("reserved", c_uint32),
    ]


_PATHS = [
    "model", "diffusion_model", "high_noise_diffusion_model", "vae", "taesd", "clip_l", "clip_g",
    "clip_vision", "t5xxl", "llm", "control_net", "lora_folder",
]  # fmt: skip


class _ModelConfig(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("json", c_char_p),
        *((name, c_char_p) for name in _PATHS),
        ("weight_type", c_char_p),
        ("backend", c_char_p),
        ("params_backend", c_char_p),
        ("threads", c_uint32),
        ("max_vram", c_float),
        ("mmap", c_int32),
        ("flash_attention", c_int32),
        ("diffusion_flash_attention", c_int32),
        ("taesd_preview_only", c_int32),
        ("memory_check", c_int32),
        ("trust_pickle", c_int32),
    ]


class _PoolOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("worker_program", c_char_p),
        ("worker_memory_limit", c_uint64),
        ("worker_start_ms", c_uint64),
        ("worker_grace_ms", c_uint64),
        ("worker_silence_ms", c_uint64),
        ("time_limit_ms", c_uint64),
        ("cool_down_ms", c_uint64),
        ("failure_limit", c_uint32),
        ("models", c_uint32),
        ("queue_limit", c_uint32),
        ("isolated", c_int32),
    ]


class _ImageRequest(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("json", c_char_p),
        ("prompt", c_char_p),
        ("negative_prompt", c_char_p),
        ("sampler", c_char_p),
        ("scheduler", c_char_p),
        ("seed", c_int64),
        ("width", c_uint32),
        ("height", c_uint32),
        ("steps", c_uint32),
        ("batch", c_uint32),
        ("cfg_scale", c_float),
        ("distilled_guidance", c_float),
        ("strength", c_float),
        ("control_strength", c_float),
        ("init_image", c_void_p),
        ("mask", c_void_p),
        ("control_image", c_void_p),
        ("reference_images", c_void_p),
        ("reference_image_count", c_size_t),
        ("vae_tiling", c_int32),
        ("vae_tiling_fallback", c_int32),
    ]


class _Image(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("data", c_void_p),
        ("length", c_size_t),
        ("parameters", c_char_p),
        ("seed", c_int64),
        ("width", c_uint32),
        ("height", c_uint32),
        ("channels", c_uint32),
        ("reserved", c_uint32),
    ]


# Arguments of the functions that are used; all give a code but the last one.
_FUNCTIONS = {
    "sdcpp_model_config_init": [POINTER(_ModelConfig), c_size_t],
    "sdcpp_image_request_init": [POINTER(_ImageRequest), c_size_t],
    "sdcpp_watch_init": [POINTER(_Watch), c_size_t],
    "sdcpp_context_open": [POINTER(_ModelConfig), POINTER(_Watch), POINTER(c_void_p)],
    "sdcpp_context_generate": [c_void_p, POINTER(_ImageRequest), POINTER(_Watch), POINTER(c_void_p)],
    "sdcpp_context_free": [c_void_p],
    "sdcpp_pool_options_init": [POINTER(_PoolOptions), c_size_t],
    "sdcpp_pool_open": [POINTER(_ModelConfig), POINTER(_PoolOptions), POINTER(c_void_p)],
    "sdcpp_pool_generate": [c_void_p, POINTER(_ImageRequest), POINTER(_Watch), POINTER(c_void_p)],
    "sdcpp_pool_shutdown": [c_void_p, c_int32, c_uint64],
    "sdcpp_pool_free": [c_void_p],
    "sdcpp_cancel_new": [POINTER(c_void_p)],
    "sdcpp_cancel_now": [c_void_p],
    "sdcpp_cancel_free": [c_void_p],
    "sdcpp_result_count": [c_void_p, POINTER(c_size_t)],
    "sdcpp_result_image": [c_void_p, c_size_t, POINTER(_Image)],
    "sdcpp_result_png": [c_void_p, c_size_t, c_char_p, POINTER(c_void_p), POINTER(c_size_t)],
    "sdcpp_result_free": [c_void_p],
    "sdcpp_free": [c_void_p],
    "sdcpp_last_error": [],
}


def _load():
    """Opens SDCPP_CAPI if it is set, else the library that the system finds."""
    library = ctypes.CDLL(os.environ.get("SDCPP_CAPI", "libsdcpp_capi.so.0"))
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
    library.sdcpp_last_error.restype = POINTER(_Error)
    return library


_library = _load()


class Error(Exception):
    """A call failed. `code` is one of the header's, `kind` its name, `advice` what can be tried."""

    def __init__(self, error):
        super().__init__(error.message.decode())
        self.code = error.code
        self.kind = error.kind.decode()
        self.stage = error.stage.decode()
        self.advice = error.advice.decode()
        self.engine_lines = error.engine_lines.decode()


def _call(name, *arguments):
    # Errors are kept for each thread, until its next call.
    if getattr(_library, name)(*arguments) != OK:
        raise Error(_library.sdcpp_last_error().contents)


def _filled(kind, init, values):
    """A struct with its defaults, and with these of its fields."""
    struct = kind()
    _call(init, byref(struct), ctypes.sizeof(struct))
    names = {name for name, _ in kind._fields_} - {"size"}
    for name, value in values.items():
        if name not in names:
            raise TypeError(f"{kind.__name__} has no field {name}")
        if isinstance(value, (str, os.PathLike)):
            path = name in _PATHS or name == "worker_program"
            value = os.fsencode(value) if path else str(value).encode()
            if b"\0" in value:
                raise ValueError(f"{name} has a NUL character, which C takes for the end")
        setattr(struct, name, value)
        if isinstance(value, int) and getattr(struct, name) != value:
            raise ValueError(f"{name} is {value}, which does not fit into its field")
    return struct


def _interruptible(work, stop):
    """Runs `work` on another thread, so that Ctrl-C reaches this one, which then calls `stop`.

    The main thread of Python sees no signal while it is in a C function.
    """
    outcome = []
    ended = threading.Event()

    def run():
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        # Not `join`: after an interrupt, some versions of Python take the thread for ended.
        ended.wait()
    except KeyboardInterrupt:
        stop()
        ended.wait()
        raise
    finally:
        thread.join()
    (result, error), = outcome
    if error is not None:
        raise error
    return result


class Picture:
    """A picture that was drawn: `pixels` are `width` x `height` x `channels` bytes, red first."""

    def __init__(self, image, png):
        self.width, self.height, self.channels = image.width, image.height, image.channels
        self.seed = image.seed
        self.parameters = image.parameters.decode()
        self.pixels = ctypes.string_at(image.data, image.length)
        self.png = png

    def save(self, path):
        """Writes a PNG file, with the text of how it was made."""
        with open(path, "wb") as file:
            file.write(self.png)


def _pictures(result):
    count = c_size_t()
    _call("sdcpp_result_count", result, byref(count))
    pictures = []
    for index in range(count.value):
        image = _Image(size=ctypes.sizeof(_Image))
        _call("sdcpp_result_image", result, index, byref(image))
        data, length = c_void_p(), c_size_t()
        _call("sdcpp_result_png", result, index, None, byref(data), byref(length))
        try:
            png = ctypes.string_at(data, length.value)
        finally:
            _call("sdcpp_free", data)
        pictures.append(Picture(image, png))
    return pictures


class _Drawing:
    """What draws: a handle of the library, until it is closed."""

    _generate = None

    def __init__(self):
        self._handle = c_void_p()

    def generate(self, prompt, on_progress=None, time_limit=None, **fields):
        """Draws, and gives the pictures. Other keywords are the fields of `sdcpp_image_request`.

        `on_progress(stage, done, total)` is called on another thread; what it raises stops the drawing
        and is raised here. `time_limit` is in seconds. Ctrl-C stops the drawing.
        """
        request = _filled(_ImageRequest, "sdcpp_image_request_init", {"prompt": prompt, **fields})
        watch = _filled(_Watch, "sdcpp_watch_init", {})
        if time_limit is not None:
            watch.time_limit_ms = max(1, round(time_limit * 1000))
        raised = []

        def progress(_user, told):
            try:
                told = told.contents
                on_progress(told.stage_name.decode(), told.done, told.total)
                return 0
            except BaseException as error:
                raised.append(error)
                return 1

        if on_progress is not None:
            watch.on_progress = _OnProgress(progress)  # the struct keeps it alive
        cancel = c_void_p()
        _call("sdcpp_cancel_new", byref(cancel))
        watch.cancel = cancel

        def work():
            result = c_void_p()
            _call(self._generate, self._handle, byref(request), byref(watch), byref(result))
            try:
                return _pictures(result)
            finally:
                _call("sdcpp_result_free", result)

        try:
            return _interruptible(work, lambda: _call("sdcpp_cancel_now", cancel))
        except Error as error:
            if error.code == CANCELLED and raised:
                raise raised[0] from None
            raise
        finally:
            _call("sdcpp_cancel_free", cancel)

    def close(self):
        """Frees the models. Pictures stay."""
        handle, self._handle = self._handle, c_void_p()
        if handle:
            self._free(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Context(_Drawing):
    """A model in this process. Keywords are the fields of `sdcpp_model_config`.

        with Context(model="model.gguf") as context:
            context.generate("a lighthouse", width=512, height=512)[0].save("out.png")
    """

    _generate = "sdcpp_context_generate"

    def __init__(self, **fields):
        super().__init__()
        config = _filled(_ModelConfig, "sdcpp_model_config_init", fields)
        _call("sdcpp_context_open", byref(config), None, byref(self._handle))

    def _free(self, handle):
        _call("sdcpp_context_free", handle)


class WorkerPool(_Drawing):
    """At most `models` models, each in a worker process: `worker` is the path of the program sdcpp-worker.

    A crash of the engine is an `Error` of one drawing, of the kind `worker_crashed`, and the next one
    gets a fresh worker. Any number of threads may draw. Other keywords are the fields of
    `sdcpp_model_config`.

        with WorkerPool("/usr/local/libexec/sdcpp-worker", model="model.gguf") as pool:
            pool.generate("a lighthouse", width=512, height=512)[0].save("out.png")
    """

    _generate = "sdcpp_pool_generate"

    def __init__(self, worker, models=2, **fields):
        super().__init__()
        config = _filled(_ModelConfig, "sdcpp_model_config_init", fields)
        chosen = {"isolated": 1, "worker_program": worker, "models": models}
        options = _filled(_PoolOptions, "sdcpp_pool_options_init", chosen)
        _call("sdcpp_pool_open", byref(config), byref(options), byref(self._handle))

    def _free(self, handle):
        try:
            _call("sdcpp_pool_shutdown", handle, SHUTDOWN_CANCEL, FOREVER)
        finally:
            _call("sdcpp_pool_free", handle)
