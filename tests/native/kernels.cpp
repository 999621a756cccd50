// Compares the kernels of sd-sys/kernels with ggml's reference code, on random shapes: those that the engine
// was built with, by graphs and with one to three threads, and those for AVX2, which are compiled here.
// Prints how many nodes of which kind were computed by which, and ends with 1 at the first difference. And that sums and
// products with one number for each channel are right.

// Where the engine has the same instructions, its functions and those of this file would be one to the linker.
#define sdcpp sdcpp_here
#define sdcpp_compute_forward compute_forward_here
#define sdcpp_work_size work_size_here
#define ggml_barrier barrier_here
#define ggml_threadpool_chunk_set chunk_set_here
#define ggml_threadpool_chunk_add chunk_add_here
#include "../../sd-sys/kernels/kernels.cpp"
#undef sdcpp
#undef sdcpp_compute_forward
#undef sdcpp_work_size

// One thread's: ggml's own are of a pool that has begun a graph.
static int next_chunk = 0;
extern "C" void barrier_here(ggml_threadpool *) {}
extern "C" void chunk_set_here(ggml_threadpool *, int value) { next_chunk = value; }
extern "C" int chunk_add_here(ggml_threadpool *, int value) {
    const int chunk = next_chunk;
    next_chunk += value;
    return chunk;
}

#include "ggml-cpu.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

static std::mt19937 random_numbers(42);

static int between(int least, int most) {
    return least + static_cast<int>(random_numbers() % static_cast<unsigned>(most - least + 1));
}

static void fill(ggml_tensor * tensor) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < ggml_nelements(tensor); i++) {
        const float value = normal(random_numbers);
        if (tensor->type == GGML_TYPE_F16) {
            static_cast<ggml_fp16_t *>(tensor->data)[i] = ggml_fp32_to_fp16(value);
        } else {
            static_cast<float *>(tensor->data)[i] = value;
        }
    }
}

using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

static Context context() {
    return Context(ggml_init({size_t{64} << 20, nullptr, false}), ggml_free);
}

static std::vector<float> numbers(const ggml_tensor * tensor) {
    const float * data = static_cast<const float *>(tensor->data);
    return std::vector<float>(data, data + ggml_nelements(tensor));
}

static void forget(ggml_tensor * node) {
    std::fill_n(static_cast<float *>(node->data), ggml_nelements(node), std::numeric_limits<float>::quiet_NaN());
}

// By a graph, as the engine does.
static std::vector<float> computed(ggml_context * in, ggml_tensor * node, int threads, bool reference) {
    ggml_cgraph * graph = ggml_new_graph(in);
    ggml_build_forward_expand(graph, node);
    ggml_cplan plan = ggml_graph_plan(graph, threads, nullptr);
    // What is not written must not be met with, nor what is left of an earlier time.
    std::vector<uint8_t> work(plan.work_size + 1, 0xff);
    forget(node);
    plan.work_data = work.data();
    plan.use_ref = reference;
    if (ggml_graph_compute(graph, &plan) != GGML_STATUS_SUCCESS) {
        std::fputs("a graph was not computed\n", stderr);
        std::exit(1);
    }
    return numbers(node);
}

// By the code above, on one thread. Empty if it leaves the node to ggml.
static std::vector<float> computed_here(ggml_tensor * node) {
    constexpr size_t BEYOND = 256;
    const size_t size = work_size_here(node, 1);
    std::vector<uint8_t> work(size + BEYOND, 0xff);
    ggml_compute_params params = {};
    params.nth = 1;
    params.wsize = size;
    params.wdata = work.data();
    forget(node);
    if (!compute_forward_here(&params, node)) {
        if (size != 0) {
            std::fputs("work memory for a node that is left to ggml\n", stderr);
            std::exit(1);
        }
        return {};
    }
    if (std::count(work.begin() + size, work.end(), 0xff) != BEYOND) {
        std::fprintf(stderr, "%s writes beyond its work memory\n", ggml_op_name(node->op));
        std::exit(1);
    }
    return numbers(node);
}

static void compare(const char * what, const ggml_tensor * node, const std::vector<float> & ours,
                    const std::vector<float> & reference, double summands) {
    // ggml rounds to 16 bits before it multiplies, where the weights have 16; the kernels do not.
    const bool rounds = node->src[0]->type == GGML_TYPE_F16;
    // Convolutions by tiles lose a digit more at the most.
    const double exact = is_convolution(node) && is_by_tiles(node) ? 8e-5 : 4e-5;
    const double allowed = (rounds ? 4e-3 : exact) * std::sqrt(summands) + 1e-4;
    for (size_t i = 0; i < reference.size(); i++) {
        if (!(std::fabs(ours[i] - reference[i]) <= allowed)) {
            std::fprintf(stderr, "%s: number %zu of %s is %g in place of %g (%lld x %lld x %lld x %lld)\n", what, i,
                         ggml_op_name(node->op), ours[i], reference[i], (long long)node->ne[0], (long long)node->ne[1],
                         (long long)node->ne[2], (long long)node->ne[3]);
            std::exit(1);
        }
    }
}

// Which code it takes.
enum Kind { PRODUCT, CONVOLUTION, BY_TILES, KINDS };
static const char * const NAMES[KINDS] = {"products", "convolutions", "by tiles"};
static int by_engine[KINDS], by_avx2[KINDS], unrounded[KINDS];

static Kind kind_of(const ggml_tensor * node) {
    return !is_convolution(node) ? PRODUCT : is_by_tiles(node) ? BY_TILES : CONVOLUTION;
}

// An engine of SDCPP_KERNELS=OFF has none.
#ifdef __ELF__
extern "C" size_t sdcpp_work_size(const ggml_tensor * node, int threads) __attribute__((weak));
#else
extern "C" size_t sdcpp_work_size(const ggml_tensor * node, int threads);
#endif

static void check(ggml_context * in, ggml_tensor * node, double summands) {
    const std::vector<float> reference = computed(in, node, 1, true);
    const std::vector<float> ours = computed(in, node, 1, false);
    compare("the engine", node, ours, reference, summands);
    if (sdcpp_work_size != nullptr && sdcpp_work_size(node, 1) > 0) {
        by_engine[kind_of(node)]++;
        // ggml's own would round, and so be equal to the reference.
        unrounded[kind_of(node)] += node->src[0]->type == GGML_TYPE_F16 && ours != reference;
        for (const int threads : {2, 3, 9}) {
            if (computed(in, node, threads, false) != ours) {
                std::fprintf(stderr, "%d threads change the result of %s\n", threads, ggml_op_name(node->op));
                std::exit(1);
            }
        }
    }
    const std::vector<float> here = computed_here(node);
    if (!here.empty()) {
        by_avx2[kind_of(node)]++;
        compare("AVX2", node, here, reference, summands);
    }
}

static void product() {
    const Context in = context();
    const ggml_type type = between(0, 1) == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
    const int64_t k = between(1, 600);
    const int64_t repeat = between(1, 2);
    const int64_t planes = between(1, 2);
    const int64_t batch = between(1, 2);
    ggml_tensor * a = ggml_new_tensor_4d(in.get(), type, k, between(1, 220), planes, batch);
    ggml_tensor * b =
        ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, k, between(1, 220), planes * repeat, batch * between(1, 2));
    fill(a);
    fill(b);
    // Rows that lie apart, as those of one head of many do.
    if (k > 64 && between(0, 2) == 0) {
        a = ggml_view_4d(in.get(), a, k - 40, a->ne[1], a->ne[2], a->ne[3], a->nb[1], a->nb[2], a->nb[3], 0);
        b = ggml_view_4d(in.get(), b, k - 40, b->ne[1], b->ne[2], b->ne[3], b->nb[1], b->nb[2], b->nb[3], 160);
    }
    check(in.get(), ggml_mul_mat(in.get(), a, b), static_cast<double>(k));
}

static void convolution() {
    const Context in = context();
    const ggml_type type = between(0, 1) == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
    const int width = between(1, 5);
    const int height = between(1, 5);
    const int channels = between(1, 40);
    ggml_tensor * kernel = ggml_new_tensor_4d(in.get(), type, width, height, channels, between(1, 40));
    ggml_tensor * image =
        ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, between(10, 80), between(10, 50), channels, between(1, 2));
    fill(kernel);
    fill(image);
    ggml_tensor * node = ggml_conv_2d_direct(in.get(), kernel, image, between(1, 2), between(1, 2), between(0, 3),
                                             between(0, 3), between(1, 2), between(1, 2));
    check(in.get(), node, static_cast<double>(width * height * channels));
}

// As most of those of U-Nets and VAEs are.
static void convolution_of_3x3(int channels, int results, int width, int height, int pad_x, int pad_y) {
    const Context in = context();
    const ggml_type type = between(0, 1) == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
    ggml_tensor * kernel = ggml_new_tensor_4d(in.get(), type, 3, 3, channels, results);
    ggml_tensor * image = ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, width + 3, height + 2, channels, between(1, 2));
    fill(kernel);
    fill(image);
    // A part of a picture.
    if (between(0, 2) == 0) {
        image = ggml_view_4d(in.get(), image, width, height, channels, image->ne[3], image->nb[1], image->nb[2],
                             image->nb[3], image->nb[1] + sizeof(float));
    }
    check(in.get(), ggml_conv_2d_direct(in.get(), kernel, image, 1, 1, pad_x, pad_y, 1, 1), 9.0 * channels);
}

// One number for each channel, as biases are (vendor/fixes/scalar-broadcast.toml).
static void numbers_of_channels() {
    const Context in = context();
    ggml_tensor * image =
        ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, between(1, 70), between(1, 9), between(1, 9), between(1, 2));
    ggml_tensor * channels = ggml_new_tensor_4d(in.get(), GGML_TYPE_F32, 1, 1, image->ne[2], 1);
    fill(image);
    fill(channels);
    const bool sum = between(0, 1) == 0;
    ggml_tensor * node = sum ? ggml_add(in.get(), image, channels) : ggml_mul(in.get(), image, channels);
    std::vector<float> expected = numbers(image);
    for (size_t i = 0; i < expected.size(); i++) {
        const size_t pixels = image->ne[0] * image->ne[1];
        const float channel = static_cast<const float *>(channels->data)[i / pixels % image->ne[2]];
        expected[i] = sum ? expected[i] + channel : expected[i] * channel;
    }
    for (const int threads : {1, 2}) {
        if (computed(in.get(), node, threads, false) != expected) {
            std::fprintf(stderr, "%s with a number for each channel is wrong\n", ggml_op_name(node->op));
            std::exit(1);
        }
    }
}

int main() {
    ggml_cpu_init();
    for (int i = 0; i < 60; i++) {
        convolution_of_3x3(between(30, 90), between(30, 130), between(6, 90), between(20, 50), between(0, 3),
                           between(0, 3));
    }
    // More channels than are summed up at once, and more than are carried over at once.
    for (int i = 0; i < 4; i++) {
        convolution_of_3x3(600, 310, 23, 25, 1, 1);
    }
    // More tiles than are carried over at once.
    convolution_of_3x3(520, 40, 150, 110, 1, 1);
    for (int i = 0; i < 300; i++) {
        product();
        convolution();
        numbers_of_channels();
    }
    for (int kind = 0; kind < KINDS; kind++) {
        std::printf("%s: engine %d, unrounded %d, avx2 %d\n", NAMES[kind], by_engine[kind], unrounded[kind],
                    by_avx2[kind]);
    }
}
