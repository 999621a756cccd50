// Products of matrices in blocks that stay in the caches, after K. Goto and R. van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication" (2008): C[q][p] = sum over k of P[k][p] * Q[k][q].
#pragma once

#include "vector.hpp"

#if SDCPP_KERNELS_HERE

#include "ggml-cpu-impl.h"

#include <algorithm>
#include <utility>

namespace sdcpp {
inline namespace SDCPP_KERNELS_FOR {

// Columns of both sides and summands that are packed at once: 200 KB each with AVX-512, for a second-level
// cache of 512 KB or more; half of it with AVX2.
constexpr int64_t BLOCK_P = 6 * TILE_P;
constexpr int64_t BLOCK_Q = 16 * TILE_Q;
constexpr int64_t BLOCK_K = 256;
// Stores of whole vectors write so many floats over the end.
constexpr int64_t SLACK = LANES;
constexpr int64_t PACKED_P = BLOCK_P * BLOCK_K + SLACK;
constexpr int64_t PACKED_Q = BLOCK_Q * BLOCK_K + SLACK;
constexpr size_t ALIGNMENT = 64;
// Floats of a thread.
constexpr int64_t SCRATCH = PACKED_P + PACKED_Q;

inline size_t work_size(int threads) {
    return static_cast<size_t>(threads) * SCRATCH * sizeof(float) + ALIGNMENT;
}

// Where the work buffer's first whole vector lies.
inline float * work_of(const ggml_compute_params * params) {
    const uintptr_t work = reinterpret_cast<uintptr_t>(params->wdata);
    return reinterpret_cast<float *>((work + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The next job that no thread has begun, until there is none. The pool's chunk was set to the number of threads, and
// all have met since.
template <class Work>
void take_jobs(const ggml_compute_params * params, int64_t count, const Work & work) {
    for (int64_t job = params->ith; job < count; job = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        work(job);
    }
}

// Packs rows whose summands lie one after the other: panels of W rows, in each [k][row]. Rows that are
// missing in the last panel are 0.
template <int W, class T>
void pack_rows(const char * rows, size_t stride, int64_t count, int64_t k0, int64_t kc, float * to) {
    for (int64_t first = 0; first < count; first += W, to += W * kc) {
        for (int64_t k = 0; k < kc; k += LANES) {
            const int64_t columns = std::min<int64_t>(LANES, kc - k);
            for (int group = 0; group < W; group += LANES) {
                vec v[LANES];
                for (int i = 0; i < LANES; i++) {
                    const int64_t row = first + group + i;
                    const bool there = group + i < W && row < count;
                    v[i] = there ? load_first(reinterpret_cast<const T *>(rows + row * stride) + k0 + k, columns)
                                 : zero();
                }
                transpose(v);
                // Where W is no multiple of LANES, a store writes into the next summand, which comes after it.
                for (int64_t i = 0; i < columns; i++) {
                    store(to + (k + i) * W + group, v[i]);
                }
            }
        }
    }
}

template <int W>
inline void pack_rows_of(ggml_type type, const char * rows, size_t stride, int64_t count, int64_t k0, int64_t kc,
                         float * to) {
    if (type == GGML_TYPE_F16) {
        pack_rows<W, ggml_fp16_t>(rows, stride, count, k0, kc, to);
    } else {
        pack_rows<W, float>(rows, stride, count, k0, kc, to);
    }
}

// One tile of C, TILE_P wide and NQ high.
template <int NQ>
inline void tile(const float * p, const float * q, int64_t kc, float * c, int64_t c_stride, bool sum) {
    constexpr int NV = TILE_P / LANES;
    vec acc[NQ][NV];
#pragma GCC unroll 12
    for (int i = 0; i < NQ; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < NV; v++) {
            acc[i][v] = zero();
        }
    }
    for (int64_t k = 0; k < kc; k++, p += TILE_P, q += TILE_Q) {
        vec a[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; v++) {
            a[v] = load(p + v * LANES);
        }
#pragma GCC unroll 12
        for (int i = 0; i < NQ; i++) {
            const vec b = all(q[i]);
#pragma GCC unroll 2
            for (int v = 0; v < NV; v++) {
                acc[i][v] = multiply_add(a[v], b, acc[i][v]);
            }
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < NQ; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < NV; v++) {
            float * at = c + i * c_stride + v * LANES;
            store(at, sum ? add(load(at), acc[i][v]) : acc[i][v]);
        }
    }
}

using Tile = void (*)(const float *, const float *, int64_t, float *, int64_t, bool);

template <size_t... N>
constexpr Tile tile_of_height(size_t height, std::index_sequence<N...>) {
    constexpr Tile all[] = {tile<static_cast<int>(N + 1)>...};
    return all[height - 1];
}

// All tiles of a block: C[q][p] for `np` times `nq` numbers.
inline void block(const float * p, const float * q, int64_t np, int64_t nq, int64_t kc, float * c,
                  int64_t c_stride, bool sum) {
    for (int64_t j = 0; j < nq; j += TILE_Q) {
        const int64_t height = std::min<int64_t>(TILE_Q, nq - j);
        const Tile compute = tile_of_height(static_cast<size_t>(height), std::make_index_sequence<TILE_Q>());
        for (int64_t i = 0; i < np; i += TILE_P) {
            const float * panel = p + i * kc;
            float * at = c + j * c_stride + i;
            const int64_t width = std::min<int64_t>(TILE_P, np - i);
            if (width == TILE_P) {
                compute(panel, q + j * kc, kc, at, c_stride, sum);
                continue;
            }
            // The last tile is not as wide: there is no room for whole vectors in C.
            float whole[TILE_Q * TILE_P];
            compute(panel, q + j * kc, kc, whole, TILE_P, false);
            for (int64_t row = 0; row < height; row++) {
                for (int64_t column = 0; column < width; column++) {
                    const float value = whole[row * TILE_P + column];
                    float & result = at[row * c_stride + column];
                    result = sum ? result + value : value;
                }
            }
        }
    }
}

// The threads share the blocks of all products among them. Each result is summed up in the same order,
// however many threads there are.
//   pack_p(product, first, count, k0, kc, to), pack_q likewise; result(product): C's beginning.
template <class PackP, class PackQ, class Result>
void multiply(const ggml_compute_params * params, int64_t products, int64_t np, int64_t nq, int64_t k,
              const PackP & pack_p, const PackQ & pack_q, const Result & result, int64_t c_stride) {
    // Smaller blocks where there would be too few to share out.
    int64_t block_p = BLOCK_P;
    int64_t block_q = BLOCK_Q;
    const auto jobs_of = [&] { return products * ceil_div(np, block_p) * ceil_div(nq, block_q); };
    while (jobs_of() < 4 * params->nth && (block_p > 2 * TILE_P || block_q > 4 * TILE_Q)) {
        if (block_q > 4 * TILE_Q && (block_q >= block_p || block_p <= 2 * TILE_P)) {
            block_q /= 2;
        } else {
            block_p -= 2 * TILE_P;
        }
    }
    const int64_t blocks_p = ceil_div(np, block_p);
    const int64_t blocks_q = ceil_div(nq, block_q);
    const int64_t jobs = products * blocks_p * blocks_q;
    // Parts of the sums of about the same length.
    const int64_t block_k = ceil_div(k, ceil_div(k, BLOCK_K));

    float * packed_p = work_of(params) + params->ith * SCRATCH;
    float * packed_q = packed_p + PACKED_P;

    if (params->ith == 0) {
        ggml_threadpool_chunk_set(params->threadpool, params->nth);
    }
    ggml_barrier(params->threadpool);
    take_jobs(params, jobs, [&](int64_t job) {
        const int64_t q0 = job % blocks_q * block_q;
        const int64_t p0 = job / blocks_q % blocks_p * block_p;
        const int64_t product = job / blocks_q / blocks_p;
        const int64_t p_count = std::min(block_p, np - p0);
        const int64_t q_count = std::min(block_q, nq - q0);
        float * c = result(product) + q0 * c_stride + p0;
        for (int64_t k0 = 0; k0 < k; k0 += block_k) {
            const int64_t kc = std::min(block_k, k - k0);
            pack_p(product, p0, p_count, k0, kc, packed_p);
            pack_q(product, q0, q_count, k0, kc, packed_q);
            block(packed_p, packed_q, p_count, q_count, kc, c, c_stride, k0 > 0);
        }
    });
}

}  // namespace SDCPP_KERNELS_FOR
}  // namespace sdcpp

#endif
