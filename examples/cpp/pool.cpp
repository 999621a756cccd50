// Draws several prompts at once, each model in a worker process of its own: a crash of the engine costs
// one picture, and not this program.
//
//     scripts/install.sh --prefix ~/.local
//     cmake -S examples/cpp -B build -D CMAKE_PREFIX_PATH=$HOME/.local && cmake --build build
//     build/pool examples/models/demo_q8_0.gguf examples/models/demo_tae.gguf pictures "a red circle" "a blue square"

#include "sdcpp.hpp"

#include <cinttypes>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

// Called on a thread of the library. No exception may leave it, and none is thrown here.
int32_t on_progress(void *user, const sdcpp_progress *progress) noexcept {
    const auto *prompt = static_cast<const char *>(user);
    if (progress->stage == SDCPP_STAGE_SAMPLING && progress->done == progress->total) {
        std::fprintf(stderr, "%s: sampled in %" PRIu32 " steps\n", prompt, progress->total);
    }
    return 0;
}

void tell(const char *what, const sdcpp::Error &error) {
    std::fprintf(stderr, "%s: %s (%s)\n", what, error.what(), error.kind().c_str());
    if (!error.advice().empty()) {
        std::fprintf(stderr, "  try: %s\n", error.advice().c_str());
    }
}

// How many of the prompts failed.
int draw(const char *model, const char *decoder, const std::filesystem::path &folder,
         const std::vector<std::string> &prompts) {
    auto config = sdcpp::defaults(sdcpp_model_config_init);
    config.model = model;
    config.taesd = decoder;
    config.threads = 1;
    auto options = sdcpp::defaults(sdcpp_pool_options_init);
    options.isolated = 1;
    options.models = 2;
    options.time_limit_ms = 120'000;
    const sdcpp::Pool pool(config, options);

    struct Drawing {
        std::string prompt;
        sdcpp::Job job;
    };
    std::vector<Drawing> drawings;
    for (const auto &prompt : prompts) {
        auto request = sdcpp::defaults(sdcpp_image_request_init);
        request.prompt = prompt.c_str();
        request.sampler = "euler";
        request.width = request.height = 128;
        request.steps = 12;
        request.cfg_scale = 3;
        request.seed = 42;
        auto watch = sdcpp::defaults(sdcpp_watch_init);
        watch.on_progress = on_progress;
        // It lives until the jobs have ended, in the caller's vector.
        watch.user = const_cast<char *>(prompt.c_str());
        drawings.push_back({prompt, pool.submit(request, &watch)});
    }

    int failures = 0;
    for (std::size_t i = 0; i < drawings.size(); ++i) {
        auto &[prompt, job] = drawings[i];
        try {
            const auto result = job.wait();
            const auto path = (folder / (std::to_string(i) + ".png")).string();
            result.save(0, path);
            const auto image = result.image(0);
            std::printf("%s: %s, %" PRIu32 "x%" PRIu32 ", seed %" PRId64 "\n", path.c_str(),
                        prompt.c_str(), image.width, image.height, image.seed);
        } catch (const sdcpp::Error &error) {
            tell(prompt.c_str(), error);
            ++failures;
        }
    }
    const auto metrics = pool.metrics();
    std::printf("%" PRIu64 " drawn by %" PRIu64 " workers, %" PRIu64 " failed\n", metrics.done,
                metrics.opened, metrics.failed);
    pool.shut_down(10s);
    return failures;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: %s MODEL DECODER FOLDER PROMPT...\n", argv[0]);
        return 2;
    }
    try {
        std::filesystem::create_directories(argv[3]);
        return draw(argv[1], argv[2], argv[3], {argv + 4, argv + argc}) == 0 ? 0 : 1;
    } catch (const sdcpp::Error &error) {
        tell("pool", error);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "pool: %s\n", error.what());
    }
    return 1;
}
