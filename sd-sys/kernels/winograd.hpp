// Convolutions with kernels of 3x3, in a quarter of the multiplications: F(4x4, 3x3) of A. Lavin and S. Gray, "Fast
// Algorithms for Convolutional Neural Networks" (2015). A tile of 4x4 results needs 6x6 pixels. Pixels and kernel
// are carried over to 36 points; there each channel of the result is a sum of products over the channels of the
// picture, one product of matrices for each point; and the sums are carried back.
#pragma once

#include "product.hpp"

#if SDCPP_KERNELS_HERE

namespace sdcpp {
inline namespace SDCPP_KERNELS_FOR {
namespace winograd {

constexpr int64_t RESULTS = 4;  // to a side of a tile
constexpr int64_t PIXELS = 6;
constexpr int64_t POINTS = PIXELS * PIXELS;
constexpr int64_t KERNEL = 9;
// Tiles, channels of the result and channels of the picture that a thread sums up at once.
constexpr int64_t BLOCK_TILES = 2 * TILE_P;
constexpr int64_t BLOCK_OUT = 8 * TILE_Q;
constexpr int64_t BLOCK_IN = 512;
// Channels of the picture that are carried over at once: a part of BLOCK_IN.
constexpr int64_t SOME_IN = 64;
// Channels of the kernel that are packed at once.
constexpr int64_t PACKED_IN = 16;
// Floats of pixels, and of kernels, that the threads share at their points: for a third-level cache, and so that the
// work buffer stays small.
constexpr int64_t MOST = int64_t{6} << 20;

inline int64_t round_up(int64_t value, int64_t to) { return ceil_div(value, to) * to; }

struct Shape {
    int64_t in, out, tiles_x, tiles, planes;

    explicit Shape(const ggml_tensor * node)
        : in(node->src[0]->ne[2]), out(node->src[0]->ne[3]), tiles_x(ceil_div(node->ne[0], RESULTS)),
          tiles(tiles_x * ceil_div(node->ne[1], RESULTS)), planes(node->ne[3]) {}

    // Of a picture.
    int64_t blocks() const { return ceil_div(tiles, BLOCK_TILES); }
    // A block of tiles at all points.
    int64_t block_floats() const { return POINTS * BLOCK_TILES * in; }
    // As many threads as can each carry over the pixels of blocks of their own, and find them in their own cache. More
    // of them share what they carry over.
    int64_t most_alone() const { return std::min(planes * blocks() / 4, 2 * MOST / block_floats()); }
    // Blocks that the threads share at a time, about as many each time; likewise channels of the result.
    int64_t round() const {
        return ceil_div(blocks(), ceil_div(blocks(), std::max<int64_t>(MOST / block_floats(), 1)));
    }
    int64_t group() const {
        const int64_t most = std::max<int64_t>(MOST / (POINTS * in), TILE_Q);
        return round_up(ceil_div(out, ceil_div(out, most)), TILE_Q);
    }
    int64_t kernel_floats() const { return round_up(POINTS * group() * in, LANES); }
    int64_t pixel_floats(int threads) const {
        return std::max(round(), std::min<int64_t>(threads, most_alone())) * block_floats();
    }
    size_t work_size(int threads) const {
        const int64_t floats = kernel_floats() + pixel_floats(threads) + threads * POINTS * BLOCK_OUT * BLOCK_TILES;
        return static_cast<size_t>(floats) * sizeof(float) + ALIGNMENT;
    }
};

// Each of the three takes numbers that lie `STEP` apart.
template <int STEP>
inline void carry_pixels(const vec * d, vec * to) {
    const vec d1 = d[STEP], d2 = d[2 * STEP], d3 = d[3 * STEP], d4 = d[4 * STEP];
    to[0] = multiply_add(all(4), d[0], multiply_add(all(-5), d2, d4));
    const vec even = multiply_add(all(-4), d2, d4);
    const vec odd = multiply_add(all(-4), d1, d3);
    to[STEP] = add(even, odd);
    to[2 * STEP] = subtract(even, odd);
    const vec far_even = subtract(d4, d2);
    const vec far_odd = subtract(d3, d1);
    to[3 * STEP] = multiply_add(all(2), far_odd, far_even);
    to[4 * STEP] = multiply_add(all(-2), far_odd, far_even);
    to[5 * STEP] = multiply_add(all(4), d1, multiply_add(all(-5), d3, d[5 * STEP]));
}

template <int FROM, int TO>
inline void carry_kernel(const vec * g, vec * to) {
    const vec g0 = g[0], g1 = g[FROM], g2 = g[2 * FROM];
    to[0] = multiply(all(1.0f / 4), g0);
    const vec near = multiply(all(-1.0f / 6), add(g0, g2));
    to[TO] = multiply_add(all(-1.0f / 6), g1, near);
    to[2 * TO] = multiply_add(all(1.0f / 6), g1, near);
    const vec far = multiply_add(all(1.0f / 24), g0, multiply(all(1.0f / 6), g2));
    to[3 * TO] = multiply_add(all(1.0f / 12), g1, far);
    to[4 * TO] = multiply_add(all(-1.0f / 12), g1, far);
    to[5 * TO] = g2;
}

template <int FROM, int TO>
inline void carry_back(const vec * m, vec * to) {
    const vec near = add(m[FROM], m[2 * FROM]);
    const vec near_odd = subtract(m[FROM], m[2 * FROM]);
    const vec far = add(m[3 * FROM], m[4 * FROM]);
    const vec far_odd = subtract(m[3 * FROM], m[4 * FROM]);
    to[0] = add(m[0], add(near, far));
    to[TO] = multiply_add(all(2), far_odd, near_odd);
    to[2 * TO] = multiply_add(all(4), far, near);
    to[3 * TO] = add(multiply_add(all(8), far_odd, near_odd), m[5 * FROM]);
}

// The kernels of TILE_Q channels of the result, of which `count` are there, and of channels of the picture from
// `begin` on, at all points: [point][channels of the picture, BLOCK_IN at a time][panel][channel][TILE_Q].
inline void kernel_at_points(const Shape & shape, const ggml_tensor * kernel, int64_t first, int64_t count,
                             int64_t panel, int64_t begin, float * to) {
    const int64_t group = shape.group();
    const char * rows = static_cast<const char *>(kernel->data) + first * kernel->nb[3];
    float packed[PACKED_IN * KERNEL * TILE_Q + SLACK];
    const int64_t k0 = begin / BLOCK_IN * BLOCK_IN;
    const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
    const int64_t end = std::min(begin + SOME_IN, shape.in);
    for (int64_t k = begin; k < end; k += PACKED_IN) {
        const int64_t channels = std::min(PACKED_IN, end - k);
        pack_rows_of<TILE_Q>(kernel->type, rows, kernel->nb[3], count, k * KERNEL, channels * KERNEL, packed);
        for (int64_t channel = 0; channel < channels; channel++) {
            vec g[KERNEL], half[PIXELS * 3], all_points[POINTS];
            for (int64_t i = 0; i < KERNEL; i++) {
                g[i] = load(packed + (channel * KERNEL + i) * TILE_Q);
            }
            for (int x = 0; x < 3; x++) {
                carry_kernel<3, 3>(g + x, half + x);
            }
            for (int y = 0; y < PIXELS; y++) {
                carry_kernel<1, 1>(half + y * 3, all_points + y * PIXELS);
            }
            float * at = to + k0 * group + panel * TILE_Q * kc + (k - k0 + channel) * TILE_Q;
            for (int64_t point = 0; point < POINTS; point++) {
                store_tile_q(at + point * group * shape.in, all_points[point]);
            }
        }
    }
}

// `count` tiles of the picture and its channels from `first_k` on, at all points:
// [point][channels, BLOCK_IN at a time][panel][channel][TILE_P].
inline void pixels_at_points(const Shape & shape, const ggml_tensor * image, const char * channels, int64_t pad_x,
                             int64_t pad_y, int64_t first, int64_t count, int64_t first_k, float * to) {
    const int64_t width = image->ne[0];
    const int64_t height = image->ne[1];
    const int64_t k0 = first_k / BLOCK_IN * BLOCK_IN;
    const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
    const int64_t end_k = std::min(first_k + SOME_IN, shape.in);
    for (int64_t begin = 0; begin < round_up(count, TILE_P); begin += LANES) {
        int64_t x[LANES], y[LANES];
        for (int64_t lane = 0; lane < LANES; lane++) {
            const int64_t tile = first + begin + lane;
            x[lane] = tile % shape.tiles_x * RESULTS - pad_x;
            // A tile that is not there lies below the picture.
            y[lane] = begin + lane < count ? tile / shape.tiles_x * RESULTS - pad_y : height;
        }
        for (int64_t k = first_k; k < end_k; k++) {
            const char * plane = channels + k * image->nb[2];
            vec d[POINTS], all_points[POINTS];
            for (int64_t row = 0; row < PIXELS; row++) {
                vec v[LANES];
                for (int64_t lane = 0; lane < LANES; lane++) {
                    const int64_t at = y[lane] + row;
                    if (at < 0 || at >= height) {
                        v[lane] = zero();
                        continue;
                    }
                    const float * pixels = reinterpret_cast<const float *>(plane + at * image->nb[1]) + x[lane];
                    const bool inside = x[lane] >= 0 && x[lane] + LANES <= width;
                    v[lane] = inside ? load(pixels) : load_lanes(pixels, -x[lane], width - x[lane]);
                }
                transpose(v);
                carry_pixels<1>(v, d + row * PIXELS);
            }
            for (int column = 0; column < PIXELS; column++) {
                carry_pixels<PIXELS>(d + column, all_points + column);
            }
            float * at = to + k0 * BLOCK_TILES + begin / TILE_P * TILE_P * kc + (k - k0) * TILE_P + begin % TILE_P;
            for (int64_t point = 0; point < POINTS; point++) {
                store(at + point * BLOCK_TILES * shape.in, all_points[point]);
            }
        }
    }
}

// One channel of the result: the sums of `count` tiles, [point][BLOCK_OUT][tile], become pixels.
inline void results(const Shape & shape, const float * sums, int64_t first, int64_t count, float * plane,
                    int64_t width, int64_t height) {
    for (int64_t begin = 0; begin < count; begin += LANES) {
        vec m[POINTS], half[PIXELS * RESULTS], r[RESULTS * RESULTS];
        for (int64_t point = 0; point < POINTS; point++) {
            m[point] = load(sums + point * BLOCK_OUT * BLOCK_TILES + begin);
        }
        for (int y = 0; y < PIXELS; y++) {
            carry_back<1, 1>(m + y * PIXELS, half + y * RESULTS);
        }
        for (int x = 0; x < RESULTS; x++) {
            carry_back<RESULTS, RESULTS>(half + x, r + x);
        }
        const int64_t lanes = std::min<int64_t>(LANES, count - begin);
        constexpr int64_t ROWS = LANES / RESULTS;
        for (int64_t row = 0; row < RESULTS; row += ROWS) {
            vec v[LANES];
            std::copy(r + row * RESULTS, r + (row + ROWS) * RESULTS, v);
            transpose(v);
            for (int64_t lane = 0; lane < lanes; lane++) {
                const int64_t tile = first + begin + lane;
                const int64_t x = tile % shape.tiles_x * RESULTS;
                const int64_t y = tile / shape.tiles_x * RESULTS + row;
                float rows[LANES];
                store(rows, v[lane]);
                float * at = plane + y * width + x;
                for (int64_t i = 0; i < std::min(ROWS, height - y); i++) {
                    if (width - x >= RESULTS) {
                        std::memcpy(at + i * width, rows + i * RESULTS, RESULTS * sizeof(float));
                    } else {
                        std::memcpy(at + i * width, rows + i * RESULTS, static_cast<size_t>(width - x) * sizeof(float));
                    }
                }
            }
        }
    }
}

// What one thread does. Each result is summed up in the same order, however many threads there are.
class Convolver {
public:
    Convolver(const ggml_compute_params * params, ggml_tensor * node, int64_t pad_x, int64_t pad_y)
        : params(params), node(node), kernel(node->src[0]), image(node->src[1]), pad_x(pad_x), pad_y(pad_y),
          shape(node), group(shape.group()), ins(ceil_div(shape.in, SOME_IN)), kernels(work_of(params)),
          pixels(kernels + shape.kernel_floats()),
          sums(pixels + shape.pixel_floats(params->nth) + params->ith * POINTS * BLOCK_OUT * BLOCK_TILES) {}

    void convolve() {
        if (params->nth <= shape.most_alone()) {
            for (int64_t out0 = 0; out0 < shape.out; out0 += group) {
                each_for_itself(out0);
            }
            return;
        }
        for (int64_t plane = 0; plane < shape.planes; plane++) {
            for (int64_t first = 0; first < shape.blocks(); first += shape.round()) {
                for (int64_t out0 = 0; out0 < shape.out; out0 += group) {
                    together(plane, first, out0);
                }
            }
        }
    }

private:
    // The blocks of all pictures, with `group` channels of the result at the most.
    void each_for_itself(int64_t out0) {
        begin();
        carry_kernels(out0);
        ggml_barrier(params->threadpool);
        float * own = pixels + params->ith * shape.block_floats();
        const int64_t blocks = shape.blocks();
        const int64_t outs = outs_from(out0);
        take_jobs(params, shape.planes * blocks, [&](int64_t job) {
            for (int64_t some_in = 0; some_in < ins; some_in++) {
                carry_pixels_of(job / blocks, job % blocks, some_in, own);
            }
            for (int64_t out = 0; out < outs; out += BLOCK_OUT) {
                sum_up(job / blocks, job % blocks, own, out0, out, std::min(BLOCK_OUT, outs - out));
            }
        });
    }

    // Some blocks of one picture, `group` channels of the result at the most.
    void together(int64_t plane, int64_t first, int64_t out0) {
        begin();
        const int64_t blocks = std::min(shape.round(), shape.blocks() - first);
        if (out0 == 0) {
            share(blocks * ins, [&](int64_t job) {
                const int64_t block = job / ins;
                carry_pixels_of(plane, first + block, job % ins, pixels + block * shape.block_floats());
            });
        }
        carry_kernels(out0);
        ggml_barrier(params->threadpool);
        // Few blocks are shared out by channels of the result too.
        const int64_t outs = outs_from(out0);
        const int64_t panels = ceil_div(outs, TILE_Q) * blocks / (2 * params->nth);
        const int64_t part = std::min<int64_t>(std::max<int64_t>(panels, 1) * TILE_Q, BLOCK_OUT);
        const int64_t parts = ceil_div(outs, part);
        take_jobs(params, blocks * parts, [&](int64_t job) {
            const int64_t out = job % parts * part;
            sum_up(plane, first + job / parts, pixels + job / parts * shape.block_floats(), out0, out,
                   std::min(part, outs - out));
        });
    }

    int64_t outs_from(int64_t out0) const { return std::min(group, shape.out - out0); }
    int64_t tiles_of(int64_t block) const { return std::min(BLOCK_TILES, shape.tiles - block * BLOCK_TILES); }

    // Once all threads have ended what they did before: what they read may be written over from here on.
    void begin() {
        if (kernels_from >= 0) {
            ggml_barrier(params->threadpool);
        }
        if (params->ith == 0) {
            ggml_threadpool_chunk_set(params->threadpool, params->nth);
        }
    }

    // This thread's share of jobs that take the same time.
    template <class Work>
    void share(int64_t count, const Work & work) {
        for (int64_t job = count * params->ith / params->nth; job < count * (params->ith + 1) / params->nth; job++) {
            work(job);
        }
    }

    void carry_kernels(int64_t out0) {
        if (out0 == kernels_from) {
            return;
        }
        kernels_from = out0;
        const int64_t outs = outs_from(out0);
        share(ceil_div(outs, TILE_Q) * ins, [&](int64_t job) {
            const int64_t first = job / ins * TILE_Q;
            kernel_at_points(shape, kernel, out0 + first, std::min<int64_t>(TILE_Q, outs - first), job / ins,
                             job % ins * SOME_IN, kernels);
        });
    }

    void carry_pixels_of(int64_t plane, int64_t block, int64_t some_in, float * to) {
        const char * channels = static_cast<const char *>(image->data) + plane * image->nb[3];
        pixels_at_points(shape, image, channels, pad_x, pad_y, block * BLOCK_TILES, tiles_of(block), some_in * SOME_IN,
                         to);
    }

    // The results of a block of tiles, in `count` channels: those from `out` on of the kernels that are at their points.
    void sum_up(int64_t plane, int64_t number, const float * of_block, int64_t out0, int64_t out, int64_t count) {
        const int64_t tiles = tiles_of(number);
        for (int64_t point = 0; point < POINTS; point++) {
            for (int64_t k0 = 0; k0 < shape.in; k0 += BLOCK_IN) {
                const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
                block(of_block + (point * shape.in + k0) * BLOCK_TILES,
                      kernels + (point * shape.in + k0) * group + out * kc, round_up(tiles, TILE_P), count, kc,
                      sums + point * BLOCK_OUT * BLOCK_TILES, BLOCK_TILES, k0 > 0);
            }
        }
        char * to = static_cast<char *>(node->data) + plane * node->nb[3];
        for (int64_t i = 0; i < count; i++) {
            results(shape, sums + i * BLOCK_TILES, number * BLOCK_TILES, tiles,
                    reinterpret_cast<float *>(to + (out0 + out + i) * node->nb[2]), node->ne[0], node->ne[1]);
        }
    }

    const ggml_compute_params * params;
    ggml_tensor * node;
    const ggml_tensor * kernel;
    const ggml_tensor * image;
    const int64_t pad_x, pad_y;
    const Shape shape;
    const int64_t group, ins;
    float * const kernels;
    float * const pixels;
    float * const sums;
    // The first channel of the result whose kernels are at their points; -1 at the beginning.
    int64_t kernels_from = -1;
};

}  // namespace winograd
}  // namespace SDCPP_KERNELS_FOR
}  // namespace sdcpp

#endif
