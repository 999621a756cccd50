// Which of ggml's nodes are computed here, on the CPU: products of matrices, and convolutions without im2col.
// ggml's own way makes a matrix of all patches first, nine times as large as the picture for a 3x3 kernel.

#include "product.hpp"
#include "winograd.hpp"

#include "sdcpp_kernels.h"

namespace {

#if SDCPP_KERNELS_HERE

using namespace sdcpp;

// Numbers of one row lie one after the other.
bool dense_rows(const ggml_tensor * tensor) {
    return tensor->nb[0] == ggml_type_size(tensor->type);
}

// Whether what is packed is used so often that packing pays: measured against ggml's own code, which reads
// 16-bit numbers as they are (docs/performance.md).
bool is_worth_packing(const ggml_tensor * a, const ggml_tensor * b) {
    constexpr int64_t LEAST_SUMMANDS = 16;
    constexpr int64_t LEAST_COLUMNS = 8;
    if (a->ne[0] < LEAST_SUMMANDS || a->ne[1] < LEAST_COLUMNS || b->ne[1] < LEAST_COLUMNS) {
        return false;
    }
    // What ggml's kernels for whole vectors cannot do takes it ten times as long.
    const bool whole_vectors = a->ne[0] % 32 == 0 && a->ne[1] % 4 == 0;
    return a->type == GGML_TYPE_F32 || (a->type == GGML_TYPE_F16 && !whole_vectors);
}

bool is_product(const ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    return node->op == GGML_OP_MUL_MAT && node->type == GGML_TYPE_F32 &&
           // A hint that there is a quicker way.
           node->op_params[1] == 0 &&
           (b->type == GGML_TYPE_F32 || b->type == GGML_TYPE_F16) && is_worth_packing(a, b) &&
           dense_rows(a) && dense_rows(b) && node->nb[0] == sizeof(float) && node->nb[1] % sizeof(float) == 0;
}

struct Convolution {
    int64_t stride_x, stride_y, pad_x, pad_y, dilation_x, dilation_y;

    explicit Convolution(const ggml_tensor * node)
        : stride_x(node->op_params[0]), stride_y(node->op_params[1]), pad_x(node->op_params[2]),
          pad_y(node->op_params[3]), dilation_x(node->op_params[4]), dilation_y(node->op_params[5]) {}
};

bool is_convolution(const ggml_tensor * node) {
    if (node->op != GGML_OP_CONV_2D) {
        return false;
    }
    const ggml_tensor * kernel = node->src[0];
    const ggml_tensor * image = node->src[1];
    // With fewer pixels, packing the kernel takes longer than using it.
    constexpr int64_t LEAST_PIXELS = 200;
    const bool is_float = kernel->type == GGML_TYPE_F32 || kernel->type == GGML_TYPE_F16;
    return node->type == GGML_TYPE_F32 && image->type == GGML_TYPE_F32 && is_float &&
           node->ne[0] * node->ne[1] >= LEAST_PIXELS &&
           ggml_is_contiguous(kernel) && dense_rows(image) && ggml_is_contiguous(node) &&
           kernel->ne[2] == image->ne[2];
}

// node[i3][i2][q][p] = sum over k of a[i3 / r3][i2 / r2][p][k] * b[i3][i2][q][k]
void multiply_matrices(const ggml_compute_params * params, ggml_tensor * node) {
    const ggml_tensor * a = node->src[0];
    const ggml_tensor * b = node->src[1];
    const int64_t repeat2 = b->ne[2] / a->ne[2];
    const int64_t repeat3 = b->ne[3] / a->ne[3];
    const int64_t planes = b->ne[2];
    const auto pack_p = [&](int64_t product, int64_t first, int64_t count, int64_t k0, int64_t kc, float * to) {
        const char * rows = static_cast<const char *>(a->data) + product / planes / repeat3 * a->nb[3] +
                            product % planes / repeat2 * a->nb[2] + first * a->nb[1];
        pack_rows_of<TILE_P>(a->type, rows, a->nb[1], count, k0, kc, to);
    };
    const auto pack_q = [&](int64_t product, int64_t first, int64_t count, int64_t k0, int64_t kc, float * to) {
        const char * rows = static_cast<const char *>(b->data) + product / planes * b->nb[3] +
                            product % planes * b->nb[2] + first * b->nb[1];
        pack_rows_of<TILE_Q>(b->type, rows, b->nb[1], count, k0, kc, to);
    };
    const auto result = [&](int64_t product) {
        return reinterpret_cast<float *>(static_cast<char *>(node->data) + product / planes * node->nb[3] +
                                         product % planes * node->nb[2]);
    };
    multiply(params, planes * b->ne[3], a->ne[1], b->ne[1], a->ne[0], pack_p, pack_q, result,
             static_cast<int64_t>(node->nb[1] / sizeof(float)));
}

// Whether a convolution is done by tiles: measured to take less time from 24² pixels on, and no less at 16². With few
// tiles the kernel is carried over for too little.
bool is_by_tiles(const ggml_tensor * node) {
    constexpr int64_t LEAST_CHANNELS = 32;
    constexpr int64_t LEAST_PIXELS = 500;
    const ggml_tensor * kernel = node->src[0];
    const Convolution by(node);
    return kernel->ne[0] == 3 && kernel->ne[1] == 3 && by.stride_x == 1 && by.stride_y == 1 && by.dilation_x == 1 &&
           by.dilation_y == 1 && kernel->ne[2] >= LEAST_CHANNELS && kernel->ne[3] >= LEAST_CHANNELS &&
           node->ne[0] * node->ne[1] >= LEAST_PIXELS;
}

// Pixels of a panel that lie in one row of the picture.
struct Run {
    int64_t lane, x, y, length;
};

// Packs for each of `count` pixels of the result what the kernel meets there: panels of TILE_P pixels, in
// each [channel, y, x of the kernel][pixel].
void pack_pixels(const Convolution & by, const ggml_tensor * kernel, const ggml_tensor * image, int64_t width,
                 const char * channels, int64_t first, int64_t count, int64_t k0, int64_t kc, float * to) {
    const int64_t kernel_x = kernel->ne[0];
    const int64_t kernel_y = kernel->ne[1];
    for (int64_t panel = 0; panel < count; panel += TILE_P, to += TILE_P * kc) {
        Run runs[TILE_P];
        int run_count = 0;
        const int64_t lanes = std::min<int64_t>(TILE_P, count - panel);
        for (int64_t lane = 0; lane < lanes; run_count++) {
            const int64_t pixel = first + panel + lane;
            const int64_t x = pixel % width;
            const int64_t length = std::min(width - x, lanes - lane);
            runs[run_count] = {lane, x, pixel / width, length};
            lane += length;
        }
        for (int64_t k = 0; k < kc; k++) {
            const int64_t x_of_kernel = (k0 + k) % kernel_x;
            const int64_t y_of_kernel = (k0 + k) / kernel_x % kernel_y;
            const int64_t channel = (k0 + k) / (kernel_x * kernel_y);
            const char * plane = channels + channel * image->nb[2];
            float * summand = to + k * TILE_P;
            if (lanes < TILE_P) {
                std::fill(summand + lanes, summand + TILE_P, 0.0f);
            }
            for (int i = 0; i < run_count; i++) {
                const Run & run = runs[i];
                float * out = summand + run.lane;
                const int64_t y = run.y * by.stride_y + y_of_kernel * by.dilation_y - by.pad_y;
                const int64_t x = run.x * by.stride_x + x_of_kernel * by.dilation_x - by.pad_x;
                if (y < 0 || y >= image->ne[1]) {
                    std::fill(out, out + run.length, 0.0f);
                    continue;
                }
                const float * row = reinterpret_cast<const float *>(plane + y * image->nb[1]);
                if (by.stride_x != 1) {
                    for (int64_t j = 0; j < run.length; j++) {
                        const int64_t at = x + j * by.stride_x;
                        out[j] = at >= 0 && at < image->ne[0] ? row[at] : 0.0f;
                    }
                    continue;
                }
                // What a store writes after the run is written once more: by the next run or the next summand.
                for (int64_t j = 0; j < run.length; j += LANES) {
                    const int64_t end = std::min(run.length - j, image->ne[0] - x - j);
                    store(out + j, load_lanes(row + x + j, -x - j, end));
                }
            }
        }
    }
}

// node[n][q][p] = sum over k of patch[p][k] * kernel[q][k], p being a pixel.
void convolve(const ggml_compute_params * params, ggml_tensor * node) {
    const ggml_tensor * kernel = node->src[0];
    const ggml_tensor * image = node->src[1];
    const Convolution by(node);
    if (is_by_tiles(node)) {
        winograd::Convolver(params, node, by.pad_x, by.pad_y).convolve();
        return;
    }
    const int64_t summands = kernel->ne[0] * kernel->ne[1] * kernel->ne[2];
    const int64_t pixels = node->ne[0] * node->ne[1];
    const auto pack_p = [&](int64_t product, int64_t first, int64_t count, int64_t k0, int64_t kc, float * to) {
        const char * channels = static_cast<const char *>(image->data) + product * image->nb[3];
        pack_pixels(by, kernel, image, node->ne[0], channels, first, count, k0, kc, to);
    };
    const auto pack_q = [&](int64_t, int64_t first, int64_t count, int64_t k0, int64_t kc, float * to) {
        const char * rows = static_cast<const char *>(kernel->data) + first * kernel->nb[3];
        pack_rows_of<TILE_Q>(kernel->type, rows, kernel->nb[3], count, k0, kc, to);
    };
    const auto result = [&](int64_t product) {
        return reinterpret_cast<float *>(static_cast<char *>(node->data) + product * node->nb[3]);
    };
    multiply(params, node->ne[3], pixels, node->ne[2], summands, pack_p, pack_q, result, pixels);
}

#endif

}  // namespace

extern "C" bool sdcpp_compute_forward(const ggml_compute_params * params, ggml_tensor * node) {
#if SDCPP_KERNELS_HERE
    if (params->use_ref) {
        return false;
    }
    if (is_product(node)) {
        multiply_matrices(params, node);
        return true;
    }
    if (is_convolution(node)) {
        convolve(params, node);
        return true;
    }
#else
    (void)params;
    (void)node;
#endif
    return false;
}

extern "C" size_t sdcpp_work_size(const ggml_tensor * node, int threads) {
#if SDCPP_KERNELS_HERE
    if (is_convolution(node) && is_by_tiles(node)) {
        return winograd::Shape(node).work_size(threads);
    }
    return is_product(node) || is_convolution(node) ? work_size(threads) : 0;
#else
    (void)node;
    (void)threads;
    return 0;
#endif
}
