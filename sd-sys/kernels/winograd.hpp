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
// Channels of the result, and of the picture, that a thread works on at once, with at most 2 * TILE_P tiles: the
// sums stay in the second-level cache.
constexpr int64_t BLOCK_OUT = 8 * TILE_Q;
constexpr int64_t BLOCK_IN = 512;
// Floats of the kernel that are carried over at once, 24 MB: for a third-level cache, and so that the work buffer
// stays small.
constexpr int64_t MOST_KERNEL = int64_t{6} << 20;
// Channels of the picture that are packed at once.
constexpr int64_t PACKED_IN = 16;

inline int64_t round_up(int64_t value, int64_t to) { return ceil_div(value, to) * to; }

struct Shape {
    int64_t in, out, tiles_x, tiles;

    explicit Shape(const ggml_tensor * node)
        : in(node->src[0]->ne[2]), out(node->src[0]->ne[3]), tiles_x(ceil_div(node->ne[0], RESULTS)),
          tiles(tiles_x * ceil_div(node->ne[1], RESULTS)) {}

    // Channels of the result whose kernels are carried over at once, about as many each time.
    int64_t group() const {
        const int64_t most = std::max<int64_t>(MOST_KERNEL / (POINTS * in), BLOCK_OUT);
        return round_up(ceil_div(out, ceil_div(out, most)), TILE_Q);
    }
    // Tiles that a thread works on at once. It keeps them at all points.
    int64_t block_tiles() const { return in > BLOCK_IN ? TILE_P : 2 * TILE_P; }
    int64_t kernel_floats() const { return round_up(POINTS * group() * in, LANES); }
    int64_t pixel_floats() const { return POINTS * block_tiles() * in; }
    int64_t thread_floats() const { return pixel_floats() + POINTS * block_tiles() * BLOCK_OUT; }
    size_t work_size(int threads) const {
        return static_cast<size_t>(kernel_floats() + threads * thread_floats()) * sizeof(float) + ALIGNMENT;
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

// The kernels of TILE_Q channels of the result, of which `count` are there, at all points:
// [point][channels of the picture, BLOCK_IN at a time][panel][channel][TILE_Q]. `panel` is the place of the panel.
inline void kernel_at_points(const Shape & shape, const ggml_tensor * kernel, int64_t first, int64_t count,
                             int64_t panel, float * to) {
    const int64_t group = shape.group();
    const char * rows = static_cast<const char *>(kernel->data) + first * kernel->nb[3];
    float packed[PACKED_IN * KERNEL * TILE_Q + SLACK];
    for (int64_t k0 = 0; k0 < shape.in; k0 += BLOCK_IN) {
        const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
        float * block = to + k0 * group + panel * TILE_Q * kc;
        for (int64_t some = 0; some < kc; some += PACKED_IN) {
            const int64_t channels = std::min(PACKED_IN, kc - some);
            pack_rows_of<TILE_Q>(kernel->type, rows, kernel->nb[3], count, (k0 + some) * KERNEL, channels * KERNEL,
                                 packed);
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
                for (int64_t point = 0; point < POINTS; point++) {
                    store_tile_q(block + point * group * shape.in + (some + channel) * TILE_Q, all_points[point]);
                }
            }
        }
    }
}

// `count` tiles of the picture at all points: [point][channels, BLOCK_IN at a time][panel][channel][TILE_P].
inline void pixels_at_points(const Shape & shape, const ggml_tensor * image, const char * channels, int64_t pad_x,
                             int64_t pad_y, int64_t first, int64_t count, float * to) {
    const int64_t width = image->ne[0];
    const int64_t height = image->ne[1];
    const int64_t tiles = shape.block_tiles();
    for (int64_t begin = 0; begin < round_up(count, TILE_P); begin += LANES) {
        int64_t x[LANES], y[LANES];
        for (int64_t lane = 0; lane < LANES; lane++) {
            const int64_t tile = first + begin + lane;
            x[lane] = tile % shape.tiles_x * RESULTS - pad_x;
            // A tile that is not there lies below the picture.
            y[lane] = begin + lane < count ? tile / shape.tiles_x * RESULTS - pad_y : height;
        }
        for (int64_t k = 0; k < shape.in; k++) {
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
            const int64_t k0 = k / BLOCK_IN * BLOCK_IN;
            const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
            float * at = to + k0 * tiles + begin / TILE_P * TILE_P * kc + (k - k0) * TILE_P + begin % TILE_P;
            for (int64_t point = 0; point < POINTS; point++) {
                store(at + point * tiles * shape.in, all_points[point]);
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
            m[point] = load(sums + point * BLOCK_OUT * shape.block_tiles() + begin);
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

// Each result is summed up in the same order, however many threads there are.
inline void convolve(const ggml_compute_params * params, ggml_tensor * node, int64_t pad_x, int64_t pad_y) {
    const ggml_tensor * kernel = node->src[0];
    const ggml_tensor * image = node->src[1];
    const Shape shape(node);
    const int64_t group = shape.group();
    const int64_t pixels = node->ne[0] * node->ne[1];
    const int64_t tiles = shape.block_tiles();
    const int64_t blocks = ceil_div(shape.tiles, tiles);

    float * kernels = work_of(params);
    float * picture = kernels + shape.kernel_floats() + params->ith * shape.thread_floats();
    float * sums = picture + shape.pixel_floats();

    for (int64_t out0 = 0; out0 < shape.out; out0 += group) {
        const int64_t outs = std::min(group, shape.out - out0);
        if (out0 > 0) {
            ggml_barrier(params->threadpool);
        }
        if (params->ith == 0) {
            ggml_threadpool_chunk_set(params->threadpool, params->nth);
        }
        const int64_t panels = ceil_div(outs, TILE_Q);
        for (int64_t panel = panels * params->ith / params->nth; panel < panels * (params->ith + 1) / params->nth;
             panel++) {
            const int64_t first = panel * TILE_Q;
            kernel_at_points(shape, kernel, out0 + first, std::min<int64_t>(TILE_Q, outs - first), panel, kernels);
        }
        ggml_barrier(params->threadpool);

        // Few tiles are shared out by channels of the result too.
        int64_t parts = 1;
        while (node->ne[3] * blocks * parts < 2 * params->nth && outs / (parts + 1) >= BLOCK_OUT / 2) {
            parts++;
        }
        const int64_t part = round_up(ceil_div(outs, parts), TILE_Q);
        const int64_t jobs = node->ne[3] * blocks * parts;
        for (int64_t job = params->ith; job < jobs; job = ggml_threadpool_chunk_add(params->threadpool, 1)) {
            const int64_t first = job / parts % blocks * tiles;
            const int64_t count = std::min(tiles, shape.tiles - first);
            const int64_t plane = job / parts / blocks;
            const int64_t end = std::min(outs, (job % parts + 1) * part);
            pixels_at_points(shape, image, static_cast<const char *>(image->data) + plane * image->nb[3], pad_x, pad_y,
                             first, count, picture);
            for (int64_t out = job % parts * part; out < end; out += BLOCK_OUT) {
                const int64_t some = std::min(BLOCK_OUT, end - out);
                for (int64_t point = 0; point < POINTS; point++) {
                    for (int64_t k0 = 0; k0 < shape.in; k0 += BLOCK_IN) {
                        const int64_t kc = std::min(BLOCK_IN, shape.in - k0);
                        block(picture + (point * shape.in + k0) * tiles,
                              kernels + (point * shape.in + k0) * group + out * kc, round_up(count, TILE_P), some, kc,
                              sums + point * BLOCK_OUT * tiles, tiles, k0 > 0);
                    }
                }
                for (int64_t i = 0; i < some; i++) {
                    char * to = static_cast<char *>(node->data) + plane * node->nb[3];
                    results(shape, sums + i * tiles, first, count,
                            reinterpret_cast<float *>(to) + (out0 + out + i) * pixels, node->ne[0], node->ne[1]);
                }
            }
        }
    }
}

}  // namespace winograd
}  // namespace SDCPP_KERNELS_FOR
}  // namespace sdcpp

#endif
