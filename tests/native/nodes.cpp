// Times single nodes of ggml's graphs on the CPU, of the sizes that Stable Diffusion 1.5 has: one line for each,
// `seconds operations name`. The first line is what the processor can do at the most: as many multiply-adds as
// there are, in registers.
//
//   nodes THREADS direct|im2col
#include "ggml-cpu.h"
#include "ggml.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

using Clock = std::chrono::steady_clock;

static int threads = 1;
static constexpr int TURNS = 5;

static double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

// More sums than a multiply-add takes cycles, on both units.
static constexpr int SUMS = 12;

static float multiply_adds(int64_t rounds) {
    // All different, or the compiler computes one for all.
    vec sums[SUMS] = {};
    for (int i = 0; i < SUMS; i++) {
        sums[i][0] = static_cast<float>(i);
    }
    vec factor = {};
    for (int i = 0; i < LANES; i++) {
        factor[i] = 1.0f - 1e-6f * static_cast<float>(i);
    }
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) {
            sums[i] = sums[i] * factor + factor;
        }
    }
    float all = 0;
    for (const vec & sum : sums) {
        for (int i = 0; i < LANES; i++) {
            all += sum[i];
        }
    }
    return all;
}

static void peak() {
    constexpr int64_t ROUNDS = 20'000'000;
    double best = 1e9;
    for (int turn = 0; turn < TURNS; turn++) {
        std::vector<std::thread> all;
        std::vector<float> results(static_cast<size_t>(threads));
        const auto begin = Clock::now();
        for (float & result : results) {
            all.emplace_back([&result] { result = multiply_adds(ROUNDS); });
        }
        for (std::thread & one : all) {
            one.join();
        }
        best = std::min(best, seconds_since(begin));
        // So that nothing is left out.
        if (results[0] == 0.5f) {
            std::exit(1);
        }
    }
    std::printf("%.9f %.0f the processor's peak, f32\n", best, 2.0 * LANES * SUMS * ROUNDS * threads);
}

static void fill(ggml_tensor * tensor) {
    const int64_t count = ggml_nelements(tensor);
    for (int64_t i = 0; i < count; i++) {
        const float value = static_cast<float>(i * 7919 % 2003) / 1000.0f - 1.0f;
        if (tensor->type == GGML_TYPE_F16) {
            static_cast<ggml_fp16_t *>(tensor->data)[i] = ggml_fp32_to_fp16(value);
        } else {
            static_cast<float *>(tensor->data)[i] = value;
        }
    }
}

using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

static Context context(double numbers) {
    const size_t bytes = static_cast<size_t>(numbers * sizeof(float)) + (size_t{16} << 20);
    return Context(ggml_init({bytes, nullptr, false}), ggml_free);
}

static void timed(ggml_context * in, ggml_tensor * node, double operations, const char * name) {
    ggml_cgraph * graph = ggml_new_graph(in);
    ggml_build_forward_expand(graph, node);
    ggml_cplan plan = ggml_graph_plan(graph, threads, nullptr);
    std::vector<uint8_t> work(plan.work_size + 1);
    plan.work_data = work.data();
    double best = 1e9;
    for (int turn = 0; turn < TURNS; turn++) {
        const auto begin = Clock::now();
        ggml_graph_compute(graph, &plan);
        best = std::min(best, seconds_since(begin));
    }
    std::printf("%.9f %.0f %s\n", best, operations, name);
}

static void product(ggml_type type, int64_t m, int64_t n, int64_t k, int64_t heads, const char * name) {
    const Context in = context(static_cast<double>(m * k + n * k + m * n) * static_cast<double>(heads));
    ggml_tensor * a = ggml_new_tensor_3d(in.get(), type, k, m, heads);
    ggml_tensor * b = ggml_new_tensor_3d(in.get(), GGML_TYPE_F32, k, n, heads);
    fill(a);
    fill(b);
    timed(in.get(), ggml_mul_mat(in.get(), a, b), 2.0 * static_cast<double>(m * n * k * heads), name);
}

// `direct` is how the crate has it on the CPU; the engine's default is im2col.
static void convolution(int64_t side, int64_t channels, int64_t out, int size, bool direct, const char * name) {
    const double pixels = static_cast<double>(side * side);
    const double patches = static_cast<double>(channels * size * size);
    const Context in = context(pixels * (patches + static_cast<double>(channels + 2 * out)) +
                               patches * static_cast<double>(out));
    ggml_tensor * kernel = ggml_new_tensor_4d(in.get(), GGML_TYPE_F16, size, size, channels, out);
    ggml_tensor * image = ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, side, side, channels, 1);
    fill(kernel);
    fill(image);
    const int pad = size / 2;
    ggml_tensor * node = direct ? ggml_conv_2d_direct(in.get(), kernel, image, 1, 1, pad, pad, 1, 1)
                                : ggml_conv_2d(in.get(), kernel, image, 1, 1, pad, pad, 1, 1);
    timed(in.get(), node, 2.0 * pixels * patches * static_cast<double>(out), name);
}

int main(int count, char ** arguments) {
    if (count != 3) {
        std::fputs("usage: nodes THREADS direct|im2col\n", stderr);
        return 2;
    }
    threads = std::max(1, std::atoi(arguments[1]));
    const bool direct = arguments[2][0] == 'd';
    ggml_cpu_init();
    peak();
    product(GGML_TYPE_F32, 1024, 1024, 40, 8, "scores of self-attention, 32² places, 8 heads of 40");
    product(GGML_TYPE_F32, 40, 1024, 1024, 8, "their sums of values");
    product(GGML_TYPE_F32, 77, 1024, 40, 8, "scores of attention to 77 words");
    product(GGML_TYPE_F16, 320, 1024, 320, 1, "320 x 320 weights, 1024 places");
    product(GGML_TYPE_F16, 1280, 256, 1280, 1, "1280 x 1280 weights, 256 places");
    convolution(32, 320, 320, 3, direct, "3x3 convolution, 320 to 320 channels, 32²");
    convolution(16, 1280, 1280, 3, direct, "3x3 convolution, 1280 to 1280 channels, 16²");
    convolution(8, 1280, 1280, 3, direct, "3x3 convolution, 1280 to 1280 channels, 8²");
    convolution(32, 320, 320, 1, direct, "1x1 convolution, 320 to 320 channels, 32²");
    convolution(64, 512, 512, 3, direct, "3x3 convolution, 512 to 512 channels, 64² (VAE)");
    convolution(256, 128, 128, 3, direct, "3x3 convolution, 128 to 128 channels, 256² (VAE)");
    convolution(128, 64, 64, 3, direct, "3x3 convolution, 64 to 64 channels, 128² (TAESD)");
}
